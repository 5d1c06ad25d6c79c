/** Who may do what in a room: pure decisions over its record. */
import { AppError } from '@parley/kit';
import type { RoomRecord } from './record.ts';

/** Who does something in a room. */
export interface Actor {
  userId: string;
  username: string;
  /**
   * - `guest`: came without a token; his name is nobody's who has a password;
   * - `member`: signed in, or named by a service that vouches for him;
   * - `privileged`: an admin or a service that acts as itself.
   */
  standing: 'guest' | 'member' | 'privileged';
}

const denied = (message: string, reason: string) => new AppError('PERMISSION_DENIED', message, { reason });

/** Why this actor may not read the room; undefined where he may. */
export function whyNotRead(record: RoomRecord, actor: Actor): AppError | undefined {
  if (actor.standing === 'privileged') return undefined;
  if (entryOf(record.removed, actor.userId) !== undefined && !isModerator(record, actor)) {
    return denied(`you were removed from room ${record.roomId}`, 'REMOVED');
  }
  if (!record.spec.private || isMember(record, actor)) return undefined;
  if (actor.standing === 'guest') {
    return new AppError('UNAUTHENTICATED', `room ${record.roomId} is private: sign in first`);
  }
  return denied(`room ${record.roomId} is private, and you are not a member`, 'NOT_A_MEMBER');
}

/** Why this actor may not send to the room. */
export function whyNotSend(record: RoomRecord, actor: Actor, nowMs: number): AppError | undefined {
  const unreadable = whyNotRead(record, actor);
  if (unreadable) return unreadable;
  if (record.spec.archived) {
    return new AppError('FAILED_PRECONDITION', `room ${record.roomId} is archived: it can be read only`, {
      reason: 'ARCHIVED',
    });
  }
  const mutedUntil = actor.standing === 'privileged' ? undefined : entryOf(record.mutedUntilMs, actor.userId);
  if (mutedUntil !== undefined && mutedUntil > nowMs) {
    const until = new Date(mutedUntil).toISOString();
    return denied(`you are muted in room ${record.roomId} until ${until}`, 'MUTED');
  }
  return undefined;
}

/** Why this actor may not remove messages and members. */
export function whyNotModerate(record: RoomRecord, actor: Actor): AppError | undefined {
  if (actor.standing === 'privileged' || isModerator(record, actor)) return undefined;
  if (actor.standing === 'guest') return new AppError('UNAUTHENTICATED', 'sign in first: moderators have accounts');
  return denied(`you are not a moderator of room ${record.roomId}`, 'NOT_A_MODERATOR');
}

/** Whether a list shows this actor the room. */
export function isListed(record: RoomRecord, actor: Actor | undefined): boolean {
  if (!record.spec.private) return true;
  return actor !== undefined && (actor.standing === 'privileged' || isMember(record, actor));
}

/** Mostly nobody is in there. A guest's id may be any text, `constructor` too. */
function entryOf(entries: Record<string, number>, userId: string): number | undefined {
  for (const _ in entries) return Object.hasOwn(entries, userId) ? entries[userId] : undefined;
  return undefined;
}

// A guest's user_id is what he likes to be called: only accounts are members and moderators.
const isModerator = ({ spec }: RoomRecord, actor: Actor) =>
  actor.standing === 'member' && spec.moderatorIds.includes(actor.userId);

const isMember = (record: RoomRecord, actor: Actor) =>
  isModerator(record, actor) || (actor.standing === 'member' && record.spec.memberIds.includes(actor.userId));
