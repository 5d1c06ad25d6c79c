import { type RoomState, sequenceOf } from '@parley/client';

/** The sequence of the first of so many unread messages, for the line above it; undefined where it is not here. */
export function firstUnread(room: RoomState, count: number): number | undefined {
  if (count === 0) return undefined;
  const said = room.messages.filter(({ type, user_id }) => counted.has(type) && user_id !== room.me);
  const first = said.at(-count);
  return first && sequenceOf(first);
}

/** As the client counts them. */
const counted = new Set(['MESSAGE_TYPE_TEXT', 'MESSAGE_TYPE_SYSTEM']);
