/** The room's log as it arrives: put in order, without repeats, with jumps and lost history noticed. */
import { parseCursor } from '../cursor.ts';
import type { ChatMessage, HistoryLost } from '../wire.ts';
import type { RoomState } from './state.ts';
import { sequenceOf } from './state.ts';

/** A page that stays open for weeks keeps this many; older ones can be read again. */
const keptMessages = 10_000;
const keptEarlier = 1_000;

/** The stream says where it begins and whether what is here can go on from there. */
export function opened(state: RoomState, cursor: string, lost?: HistoryLost): RoomState {
  const at = parseCursor(cursor);
  const epoch = at?.epoch ?? state.epoch;
  const changed = state.epoch !== '' && epoch !== state.epoch;
  const next = changed || lost ? setAside(state, lost ?? 'HISTORY_LOST_EPOCH_CHANGED') : state;
  const last = next.messages.at(-1);
  const settledBelow = Math.max(last ? sequenceOf(last) + 1 : 0, at?.sequence ?? 0);
  return { ...next, epoch, phase: 'open', error: undefined, jumped: false, settledBelow };
}

/** The log goes on without what is here: keep that on screen, above a notice. */
function setAside(state: RoomState, reason: HistoryLost): RoomState {
  const earlier = [...state.earlier, ...state.messages].slice(-keptEarlier);
  return {
    ...state,
    earlier,
    messages: [],
    lost: earlier.length > 0 ? reason : undefined,
    jumped: false,
    settledBelow: 0,
    fromStart: earlier.length > 0,
    pending: state.pending.filter((one) => one.state !== 'acknowledged' || one.epoch !== state.epoch),
  };
}

/** Messages of the live stream or of the history before it. After a jump nothing is taken: a resume brings it all. */
export function append(state: RoomState, incoming: readonly ChatMessage[]): RoomState {
  let next = state;
  for (const run of runsOfOneEpoch(incoming)) {
    const { epoch } = run[0]!;
    if (next.epoch !== '' && epoch !== next.epoch) next = setAside(next, 'HISTORY_LOST_EPOCH_CHANGED');
    if (next.jumped) continue;
    const fresh = withoutKnown(next.messages, run);
    const taken = untilJump(next, fresh);
    next = { ...shortened(insert({ ...next, epoch }, taken)), jumped: taken.length < fresh.length };
  }
  return next;
}

/** A page of older messages; of another log they would be out of place, so they are left out. */
export function prepend(state: RoomState, older: readonly ChatMessage[], fromStart: boolean): RoomState {
  const first = state.messages[0];
  if (!first) return state;
  const ours = older.filter((message) => message.epoch === state.epoch && sequenceOf(message) < sequenceOf(first));
  return { ...insert(state, withoutKnown(state.messages, ours)), fromStart };
}

function insert(state: RoomState, fresh: readonly ChatMessage[]): RoomState {
  const last = state.messages.at(-1);
  if (fresh.length === 0) return state;
  const removed = withTargets(state.removed, fresh);
  const joined = [...state.messages, ...fresh];
  const all = last && sequenceOf(fresh[0]!) < sequenceOf(last) ? inOrder(joined) : joined;
  const ids = state.earlier.length > 0 ? new Set(fresh.map(({ id }) => id)) : undefined;
  return {
    ...state,
    messages: blank(all, removed),
    earlier: ids ? state.earlier.filter(({ id }) => !ids.has(id)) : state.earlier,
    removed,
    names: withNames(state.names, fresh),
  };
}

function shortened(state: RoomState): RoomState {
  if (state.messages.length <= keptMessages) return state;
  return { ...state, messages: state.messages.slice(-keptMessages * 0.8), fromStart: false };
}

/** Those of a run that are not here yet, in order and each once. */
function withoutKnown(messages: readonly ChatMessage[], run: readonly ChatMessage[]): readonly ChatMessage[] {
  const last = messages.at(-1);
  let highest = last ? sequenceOf(last) : 0;
  const inSequence = run.every((message) => {
    const above = sequenceOf(message) > highest;
    highest = sequenceOf(message);
    return above;
  });
  if (inSequence) return run;
  const known = new Set(messages.map(sequenceOf));
  const fresh = run.filter((message) => {
    const sequence = sequenceOf(message);
    if (known.has(sequence)) return false;
    known.add(sequence);
    return true;
  });
  return inOrder(fresh);
}

function inOrder(messages: readonly ChatMessage[]): ChatMessage[] {
  return [...messages].sort((a, b) => sequenceOf(a) - sequenceOf(b));
}

/** The part of a run that goes on by ones; trimmed notices leave holes, but only in what was already history. */
function untilJump(state: RoomState, fresh: readonly ChatMessage[]): readonly ChatMessage[] {
  let before = state.messages.length > 0 ? sequenceOf(state.messages.at(-1)!) : undefined;
  const at = fresh.findIndex((message) => {
    const sequence = sequenceOf(message);
    const jump = before !== undefined && sequence > before + 1 && before >= state.settledBelow;
    before = Math.max(before ?? 0, sequence);
    return jump;
  });
  return at < 0 ? fresh : fresh.slice(0, at);
}

function withTargets(removed: ReadonlySet<string>, fresh: readonly ChatMessage[]): ReadonlySet<string> {
  const targets = fresh.filter(({ type, target_id }) => type === 'MESSAGE_TYPE_REMOVED' && target_id);
  return targets.length === 0 ? removed : new Set([...removed, ...targets.map(({ target_id }) => target_id)]);
}

/** Whatever is removed has no content here either, in whichever order the two came. */
function blank(messages: readonly ChatMessage[], removed: ReadonlySet<string>): readonly ChatMessage[] {
  if (removed.size === 0 || !messages.some(({ id, content }) => content !== '' && removed.has(id))) return messages;
  return messages.map((message) => (removed.has(message.id) ? { ...message, content: '' } : message));
}

function withNames(names: ReadonlyMap<string, string>, fresh: readonly ChatMessage[]): ReadonlyMap<string, string> {
  const unknown = fresh.filter(({ user_id, username }) => username !== '' && names.get(user_id) !== username);
  return unknown.length === 0 ? names : new Map([...names, ...unknown.map((m) => [m.user_id, m.username] as const)]);
}

function* runsOfOneEpoch(messages: readonly ChatMessage[]): Generator<readonly ChatMessage[]> {
  let start = 0;
  for (let end = 1; end <= messages.length; end++) {
    if (end < messages.length && messages[end]!.epoch === messages[start]!.epoch) continue;
    yield messages.slice(start, end);
    start = end;
  }
}
