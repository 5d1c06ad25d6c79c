import { isDeepStrictEqual } from 'node:util';
import { AppError } from '@parley/kit/errors';
import {
  type ChatRoom,
  type ChatRoomStatus,
  chatRoomDefinition,
  chatRoomSpec,
  type ResolvedUser,
  validate,
} from '../api/index.ts';
import { type Finding, findCondition, kubeTime, ownStatus, setConditions } from '../runtime/index.ts';
import type { SeenRoom } from './plan.ts';
import { REASONS, type Verdict } from './reasons.ts';
import { namesIn } from './wish.ts';

/** How long the last drift that was put right is shown. */
export const DRIFT_SHOWN_MS = 5 * 60_000;

/** What a reconcile found out; what is absent is left as it was. */
export interface Outcome {
  roomId: string;
  ready?: Verdict<'Ready'>;
  users?: ResolvedUser[];
  /** Names could not be looked up. */
  usersAway?: string;
  digest?: string;
  /** The room has been put right; says what had been changed. */
  drift?: string;
  seen?: SeenRoom;
  /** The spec of this generation has been dealt with, for better or worse. */
  observed: boolean;
}

/** Ready, with what a newer schema allows and this operator does not know: it is said, not dropped in silence. */
export function applied(room: ChatRoom): Verdict<'Ready'> {
  const { unknown } = validate(chatRoomSpec, room.spec, 'spec');
  const message = unknown.length === 0 ? '' : `this operator does not know ${unknown.join(', ')}`;
  return { status: 'True', reason: 'Applied', message };
}

/** Chat does not answer, or not to this operator. */
export function unreachable(error: unknown): Verdict<'Ready'> {
  const message = error instanceof Error ? error.message : 'the chat service has not answered for a while';
  const refused = error instanceof AppError && ['UNAUTHENTICATED', 'PERMISSION_DENIED'].includes(error.code);
  return refused
    ? { status: 'False', reason: 'NotAllowed', message }
    : { status: 'Unknown', reason: 'ChatUnavailable', message };
}

const STATUS_FIELDS = Object.keys(chatRoomDefinition.status.properties!);

/** What this operator has said in a status. */
export function saidOf(room: ChatRoom): ChatRoomStatus {
  return ownStatus(room.status, STATUS_FIELDS, Object.keys(REASONS));
}

/** The status after an outcome. Equal to the status before when there is nothing new to say. */
export function statusAfter(room: ChatRoom, outcome: Outcome, now: Date): ChatRoomStatus {
  const before = saidOf(room);
  const generation = room.metadata.generation ?? 0;
  const observedGeneration = outcome.observed ? generation : before.observedGeneration;
  const users = (outcome.users ?? before.users ?? []).filter(({ username }) => namesIn(room).includes(username));
  const findings = [
    finding(before, 'Ready', outcome.ready, generation),
    finding(before, 'MembersResolved', resolved(room, users, outcome), generation),
    finding(before, 'Drifted', drifted(before, outcome, now), generation),
  ].filter((found) => found !== undefined);
  const { seen } = outcome;
  const lastMessageTime = seen ? toKubeTime(seen.lastMessageTime) : before.lastMessageTime;
  return {
    roomId: outcome.roomId,
    ...(observedGeneration === undefined ? {} : { observedGeneration }),
    conditions: setConditions(before.conditions, findings, now),
    ...defined('members', seen?.members ?? before.members),
    ...defined('messages', seen?.messages ?? before.messages),
    ...defined('lastMessageTime', lastMessageTime),
    ...defined('digest', outcome.digest ?? before.digest),
    ...defined('lastDriftTime', outcome.drift === undefined ? before.lastDriftTime : kubeTime(now)),
    ...(users.length > 0 ? { users } : {}),
  };
}

/** Do they differ in nothing but the numbers that move by themselves? An API server has an order of keys of its own. */
export function onlyNumbersDiffer(a: ChatRoomStatus, b: ChatRoomStatus): boolean {
  const rest = ({ members, messages, lastMessageTime, ...others }: ChatRoomStatus) => others;
  return isDeepStrictEqual(rest(a), rest(b));
}

/** Milliseconds until the status changes by the passing of time alone; undefined: never. */
export function changesInMs(status: ChatRoomStatus, now: Date): number | undefined {
  const untilMs = driftShownUntilMs(status);
  return untilMs === undefined ? undefined : Math.max(1_000, untilMs - now.getTime() + 1_000);
}

/** Until when a drift is shown; undefined: none is. The condition's own time is that of the first of several. */
function driftShownUntilMs({ conditions, lastDriftTime }: ChatRoomStatus): number | undefined {
  const condition = findCondition(conditions, 'Drifted');
  if (condition?.status !== 'True') return;
  return Date.parse(lastDriftTime ?? condition.lastTransitionTime) + DRIFT_SHOWN_MS;
}

function resolved(
  room: ChatRoom,
  users: ResolvedUser[],
  { usersAway, users: lookedUp }: Outcome,
): Verdict<'MembersResolved'> | undefined {
  if (usersAway !== undefined) return { status: 'Unknown', reason: 'UsersUnavailable', message: usersAway };
  if (lookedUp === undefined && namesIn(room).length > 0) return undefined;
  const known = new Set(users.map(({ username }) => username));
  const unknown = namesIn(room).filter((name) => !known.has(name));
  if (unknown.length === 0) return { status: 'True', reason: 'AllKnown', message: '' };
  return { status: 'False', reason: 'UnknownUsers', message: `nobody is named ${unknown.join(', ')}` };
}

function drifted(before: ChatRoomStatus, { drift, ready }: Outcome, now: Date): Verdict<'Drifted'> | undefined {
  if (drift !== undefined) return { status: 'True', reason: 'PutRight', message: drift };
  if (now.getTime() < (driftShownUntilMs(before) ?? 0)) return undefined;
  // Nothing is known of a room that was never applied.
  if (!findCondition(before.conditions, 'Drifted') && ready?.status !== 'True') return undefined;
  return { status: 'False', reason: 'InSync', message: '' };
}

/** The new finding, or the one of before, as it was. */
function finding(
  before: ChatRoomStatus,
  type: string,
  found: Pick<Finding, 'status' | 'reason' | 'message'> | undefined,
  generation: number,
): Finding | undefined {
  const kept = findCondition(before.conditions, type);
  // What cannot be reached fails in other words each time. The first are kept: to try again is nothing new to say.
  const again = found?.status === 'Unknown' && kept?.status === 'Unknown' && kept.reason === found.reason;
  if (found) return { type, ...found, ...(again ? { message: kept.message } : {}), observedGeneration: generation };
  return kept && { ...kept };
}

/** Chat's time as the API server takes it; nothing for what is no time. */
function toKubeTime(time: string): string | undefined {
  const at = new Date(time);
  return time === '' || Number.isNaN(at.getTime()) ? undefined : kubeTime(at);
}

function defined<K extends string, V>(name: K, value: V | undefined): { [name in K]?: V } {
  return (value === undefined ? {} : { [name]: value }) as { [name in K]?: V };
}
