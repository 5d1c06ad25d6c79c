/** What moderators do: blank a message, mute a member, send one away. */
import { type Caller, invalid, notFound } from '@parley/kit';
import { isText } from '../log/codec.ts';
import { removedNotice } from '../messages/draft.ts';
import { self, signedIn } from '../people/identify.ts';
import { whyNotModerate } from '../rooms/access.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { absent } from '../rooms/rooms.ts';
import { checkNames, checkRoomId } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

const mostMuteSeconds = 366 * 86_400;

export async function removeMessage(
  parts: ChatParts,
  { room_id, message_id }: { room_id: string; message_id: string },
  caller: Caller,
): Promise<void> {
  checkRoomId(room_id);
  checkNames({ message_id });
  signedIn(caller);
  const actor = self(caller);
  const record = await parts.rooms.get(room_id);
  const denied = whyNotModerate(record, actor);
  if (denied) throw denied;
  const entry = await parts.log.find(room_id, message_id);
  if (entry === undefined) throw notFound(`message ${message_id}`);
  if (!isText(entry.type)) throw invalid('message_id', 'is a notice; texts can be removed');
  // Blanked before it is said: whoever reads the log after the notice never sees the text.
  if (!(await parts.log.blank(room_id, message_id))) throw notFound(`message ${message_id}`);
  const draft = removedNotice(room_id, actor, message_id);
  draft.idempotency = { key: `remove ${message_id}`.slice(0, 128), contentHash: 'removed' };
  await parts.outbox.sendOne(room_id, { ...actor, standing: 'privileged' }, draft);
}

/** @param seconds 0 ends a mute */
export async function muteMember(
  parts: ChatParts,
  { room_id, user_id, seconds }: { room_id: string; user_id: string; seconds: string },
  caller: Caller,
): Promise<void> {
  checkNames({ user_id });
  const forSeconds = Number(seconds);
  if (forSeconds < 0 || forSeconds > mostMuteSeconds) {
    throw invalid('seconds', `is ${seconds}; 0 to ${mostMuteSeconds} are allowed, 0 ends a mute`);
  }
  await change(parts, room_id, caller, (record) => {
    const now = Date.now();
    const muted = Object.entries(record.mutedUntilMs).filter(([id, until]) => id !== user_id && until > now);
    if (forSeconds > 0) muted.push([user_id, now + forSeconds * 1000]);
    return { ...record, mutedUntilMs: Object.fromEntries(muted) };
  });
}

/** He is gone at once, and may not come back. */
export async function removeMember(
  parts: ChatParts,
  { room_id, user_id }: { room_id: string; user_id: string },
  caller: Caller,
): Promise<void> {
  checkNames({ user_id });
  await change(parts, room_id, caller, (record) => ({
    ...record,
    removed: { ...record.removed, [user_id]: Date.now() },
  }));
  await parts.log.signal(room_id, { kind: 'member-removed', userId: user_id });
}

/** Changes a room's record as one who may. */
async function change(
  parts: ChatParts,
  roomId: string,
  caller: Caller,
  to: (record: RoomRecord) => RoomRecord,
): Promise<void> {
  checkRoomId(roomId);
  signedIn(caller);
  await parts.rooms.change(roomId, (record) => {
    if (record === undefined) throw absent(roomId);
    const denied = whyNotModerate(record, self(caller));
    if (denied) throw denied;
    return to(record);
  });
}
