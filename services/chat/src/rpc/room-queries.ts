/** Looking at rooms and their messages without joining. */
import { type CallContext, invalid } from '@parley/kit';
import type { GetRoomInfoResponse } from '@parley/proto/chat/GetRoomInfoResponse';
import type { ListMessagesRequest__Output } from '@parley/proto/chat/ListMessagesRequest';
import type { ListRoomsRequest__Output } from '@parley/proto/chat/ListRoomsRequest';
import type { ListRoomsResponse } from '@parley/proto/chat/ListRoomsResponse';
import type { RoomInfo } from '@parley/proto/chat/RoomInfo';
import type { RoomSummary } from '../log/log.ts';
import { formatCursor, formatTime, parseCursor } from '../messages/cursor.ts';
import { encodeListMessages, pageOf } from '../messages/list-messages.ts';
import { self } from '../people/identify.ts';
import { type Actor, isListed, whyNotRead } from '../rooms/access.ts';
import { absent } from '../rooms/rooms.ts';
import { checkRoomId, roomIdPattern } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

/** Without a page size, for clients of the published protocol, which has no pages. */
const mostRooms = 10_000;
const [usualPage, largestPage] = [50, 200];
const mostMessages = 1000;
/** How many rooms are read from the log at once. */
const pageRooms = 1000;

export async function listRooms(
  { log }: ChatParts,
  { page_size, page_token }: ListRoomsRequest__Output,
  { caller }: CallContext,
): Promise<ListRoomsResponse> {
  const size = page_size === 0 ? mostRooms : page_size < 0 ? usualPage : Math.min(page_size, largestPage);
  const actor = self(caller);
  const found: RoomSummary[] = [];
  let after = readToken(page_token);
  let more = true;
  while (more && found.length <= size) {
    const page = await log.rooms(after, Math.min(pageRooms, size + 1));
    more = page.length === Math.min(pageRooms, size + 1);
    after = page.at(-1)?.record.roomId ?? after;
    found.push(...page.filter(({ record }) => isListed(record, actor)));
  }
  const shown = found.slice(0, size);
  const marks =
    caller.kind === 'user'
      ? await log.readMarks(
          caller.userId,
          shown.map(({ record }) => record.roomId),
        )
      : undefined;
  return {
    rooms: shown.map((summary) => roomInfo(summary, marks?.get(summary.record.roomId)?.unread ?? 0)),
    next_page_token: found.length > size ? writeToken(shown.at(-1)!.record.roomId) : '',
  };
}

export async function getRoomInfo(
  parts: ChatParts,
  { room_id }: { room_id: string },
  { caller }: CallContext,
): Promise<GetRoomInfoResponse> {
  checkRoomId(room_id);
  const [summary] = await parts.log.summaries([room_id]);
  if (summary === undefined) throw absent(room_id);
  checkReadable(summary, self(caller));
  const [members, marks] = await Promise.all([
    parts.log.members(room_id),
    caller.kind === 'user' ? parts.log.readMarks(caller.userId, [room_id]) : undefined,
  ]);
  // Counted from the list that is shown with it, so that the two agree.
  const info = roomInfo({ ...summary, members: members.length }, marks?.get(room_id)?.unread ?? 0);
  return { room: info, user_ids: members.map(({ userId }) => userId) };
}

/** Answers with bytes: the messages are encoded already. */
export async function listMessages(
  parts: ChatParts,
  { room_id, after, limit }: ListMessagesRequest__Output,
  { caller }: CallContext,
): Promise<Buffer> {
  checkRoomId(room_id);
  if (limit < 0) throw invalid('limit', `is ${limit}; 0 to ${mostMessages} are allowed`);
  const from = parseCursor(after);
  const record = await parts.rooms.get(room_id);
  const unreadable = whyNotRead(record, self(caller));
  if (unreadable) throw unreadable;
  const slice =
    from === undefined
      ? await parts.log.tail(room_id, limit === 0 ? record.spec.historyOnJoin : Math.min(limit, mostMessages))
      : await parts.log.read(room_id, from, limit === 0 ? 50 : Math.min(limit, mostMessages));
  return encodeListMessages(pageOf(slice, from !== undefined));
}

/** How a room is shown to callers. */
export function roomInfo({ record, head, members }: RoomSummary, unread: number): RoomInfo {
  const { displayName, topic, archived } = record.spec;
  return {
    id: record.roomId,
    name: displayName || record.roomId,
    user_count: members,
    created_at: formatTime(record.createdAtMs),
    topic,
    private: record.spec.private,
    archived,
    cursor: formatCursor(head),
    unread,
  };
}

function checkReadable({ record }: RoomSummary, actor: Actor): void {
  const unreadable = whyNotRead(record, actor);
  if (unreadable) throw unreadable;
}

const writeToken = (roomId: string) => Buffer.from(roomId).toString('base64url');

/** @throws AppError INVALID_ARGUMENT for what is none of ours. */
function readToken(token: string): string {
  if (token === '') return '';
  const roomId = Buffer.from(token, 'base64url').toString();
  if (roomIdPattern.test(roomId)) return roomId;
  throw invalid('page_token', 'is not one that ListRooms has answered with; leave it empty for the first page');
}
