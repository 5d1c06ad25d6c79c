/** Read marks: how far a user has read, on whichever device. */
import type { Caller } from '@parley/kit';
import { invalid } from '@parley/kit';
import { parseCursor } from '../messages/cursor.ts';
import { self, signedIn } from '../people/identify.ts';
import { whyNotRead } from '../rooms/access.ts';
import { absent } from '../rooms/rooms.ts';
import { checkRoomId } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

/** @throws AppError INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND. */
export async function markRead(
  { log }: ChatParts,
  caller: Caller,
  { room_id, cursor }: { room_id: string; cursor: string },
): Promise<void> {
  checkRoomId(room_id);
  const position = parseCursor(cursor, 'cursor');
  if (position === undefined) throw invalid('cursor', 'is empty; it is required');
  const { userId } = signedIn(caller);
  const [summary] = await log.summaries([room_id]);
  if (summary === undefined) throw absent(room_id);
  const { record, head } = summary;
  const unreadable = whyNotRead(record, self(caller));
  if (unreadable) throw unreadable;
  // A mark never goes back: one ahead of the log would count as read what nobody has said yet.
  const isAhead = position.epoch === head.epoch && position.sequence > head.sequence;
  await log.markRead(userId, room_id, isAhead ? head : position);
}
