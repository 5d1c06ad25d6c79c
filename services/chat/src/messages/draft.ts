/** What goes into the log: a member's text, or a notice. */
import { hash } from 'node:crypto';
import { encodeBody } from '../log/codec.ts';
import type { Draft, EntryType, Member } from '../log/log.ts';
import type { Actor } from '../rooms/access.ts';
import { messageId } from './message-id.ts';

export interface Text {
  room_id: string;
  content: string;
  idempotency_key: string;
}

export function textDraft(actor: Actor, { room_id, content, idempotency_key }: Text, type: 'TEXT' | 'SYSTEM'): Draft {
  const draft: Draft = { ...draftOf(room_id, actor, type, content) };
  if (idempotency_key !== '') {
    draft.idempotency = { key: idempotency_key, contentHash: hash('sha256', content, 'base64url').slice(0, 22) };
  }
  return draft;
}

export function joinNotice(roomId: string, member: Member): Draft {
  return draftOf(roomId, member, 'JOIN', `${member.username} joined the room`);
}

export function leaveNotice(roomId: string, member: Member): Draft {
  return draftOf(roomId, member, 'LEAVE', `${member.username} left the room`);
}

export function removedNotice(roomId: string, by: Actor, targetId: string): Draft {
  return draftOf(roomId, by, 'REMOVED', '', targetId);
}

function draftOf(roomId: string, { userId, username }: Member, type: EntryType, content: string, targetId = ''): Draft {
  const id = messageId();
  return { id, type, senderId: userId, body: encodeBody({ id, roomId, userId, username, content, type, targetId }) };
}
