/** One step of a room: the state after an event. Pure, so that any order of events can be tried. */
import { parseCursor } from '../cursor.ts';
import type { ChatMessage } from '../wire.ts';
import type { RoomEvent } from './events.ts';
import { append, opened, prepend } from './log.ts';
import { dropSeen, outbox, recognise } from './outbox.ts';
import type { RoomState } from './state.ts';
import { sequenceOf } from './state.ts';

export function reduce(state: RoomState, event: RoomEvent): RoomState {
  switch (event.kind) {
    case 'identified':
      return { ...state, me: event.me };
    case 'opening':
      return { ...state, phase: 'opening', error: state.phase === 'refused' ? undefined : state.error };
    case 'opened':
      return dropSeen(opened(state, event.cursor, event.lost));
    case 'messages':
      return arrived(state, event.messages);
    case 'welcomed':
      return { ...state, welcome: { message: event.message, after: state.messages.at(-1)?.id } };
    case 'older':
      return prepend(state, event.messages, event.fromStart);
    case 'present':
      return present(state, event.userIds, event.cursor);
    case 'named':
      return named(state, event.names);
    case 'refused':
      return { ...state, phase: 'refused', error: event.error, members: new Map(), typing: [] };
    case 'deferred':
      return { ...state, phase: 'opening', error: event.error };
    case 'closed':
      return { ...state, phase: 'closed', error: undefined };
    case 'typing':
      return typing(state, event);
    case 'tick':
      return { ...state, typing: state.typing.filter(({ until }) => until > event.now) };
    case 'unread':
      return { ...state, unread: event.count };
    default:
      return outbox(state, event);
  }
}

function arrived(state: RoomState, messages: readonly ChatMessage[]): RoomState {
  const next = append(state, messages);
  const before = state.epoch === next.epoch ? state.messages.at(-1) : undefined;
  const from = before ? next.messages.findLastIndex((m) => sequenceOf(m) <= sequenceOf(before)) + 1 : 0;
  const fresh = next.messages.slice(from);
  const spoke = new Set(fresh.filter(isTalk).map(({ user_id }) => user_id));
  const others = fresh.filter((message) => isTalk(message) && message.user_id !== state.me).length;
  return {
    ...recognise(next, fresh),
    members: moved(next.members, next.names, fresh),
    typing: next.typing.filter(({ userId }) => !spoke.has(userId)),
    unread: next.unread + others,
  };
}

/** Who is there as a snapshot says it, with the comings and goings that the log has had since. */
function present(state: RoomState, userIds: readonly string[], cursor: string): RoomState {
  const taken = parseCursor(cursor);
  const since = state.messages.filter((m) => taken?.epoch !== m.epoch || sequenceOf(m) > taken.sequence);
  const members = new Map(userIds.map((id) => [id, state.names.get(id) ?? '']));
  return { ...state, members: moved(members, state.names, since) };
}

function moved(
  members: ReadonlyMap<string, string>,
  names: ReadonlyMap<string, string>,
  messages: readonly ChatMessage[],
): ReadonlyMap<string, string> {
  const moves = messages.filter(({ type }) => type === 'MESSAGE_TYPE_JOIN' || type === 'MESSAGE_TYPE_LEAVE');
  if (moves.length === 0) return members;
  const next = new Map(members);
  for (const { type, user_id, username } of moves) {
    if (type === 'MESSAGE_TYPE_LEAVE') next.delete(user_id);
    else next.set(user_id, username || (names.get(user_id) ?? ''));
  }
  return next;
}

function named(state: RoomState, names: ReadonlyMap<string, string>): RoomState {
  const members = new Map([...state.members].map(([id, name]) => [id, name || (names.get(id) ?? '')]));
  return { ...state, names: new Map([...names, ...state.names]), members };
}

function typing(state: RoomState, event: { userId: string; username: string; until: number }): RoomState {
  if (event.userId === state.me) return state;
  const others = state.typing.filter(({ userId }) => userId !== event.userId);
  return { ...state, typing: [...others, { userId: event.userId, username: event.username, until: event.until }] };
}

function isTalk({ type }: ChatMessage): boolean {
  return type === 'MESSAGE_TYPE_TEXT' || type === 'MESSAGE_TYPE_SYSTEM';
}
