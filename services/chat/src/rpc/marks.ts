/** Read marks: how far a user has read, on whichever device. */
import type { Caller } from '@parley/kit';
import { invalid } from '@parley/kit';
import { parseCursor } from '../messages/cursor.ts';
import { self, signedIn } from '../people/identify.ts';
import { whyNotRead } from '../rooms/access.ts';
import { checkRoomId } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

/** @throws AppError INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND. */
export async function markRead(
  { rooms, log }: ChatParts,
  caller: Caller,
  { room_id, cursor }: { room_id: string; cursor: string },
): Promise<void> {
  checkRoomId(room_id);
  const position = parseCursor(cursor, 'cursor');
  if (position === undefined) throw invalid('cursor', 'is empty; it is required');
  const { userId } = signedIn(caller);
  const unreadable = whyNotRead(await rooms.get(room_id), self(caller));
  if (unreadable) throw unreadable;
  await log.markRead(userId, room_id, position);
}
