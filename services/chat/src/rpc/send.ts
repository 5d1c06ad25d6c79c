/** Sending a text: the same for SendMessage and for a frame on Connect. */
import { type Caller, invalid } from '@parley/kit';
import type { Draft } from '../log/log.ts';
import type { SentMessage } from '../messages/client-frame.ts';
import { textDraft } from '../messages/draft.ts';
import { identify } from '../people/identify.ts';
import type { Actor } from '../rooms/access.ts';
import { checkContent, checkKey, checkRoomId } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

/**
 * Checks what a caller wants to say. A promise only while a guest's name is looked up.
 * @throws AppError INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED.
 */
export function prepareSend(parts: ChatParts, caller: Caller, message: SentMessage): Prepared | Promise<Prepared> {
  checkRoomId(message.room_id);
  checkContent(message.content);
  checkKey(message.idempotency_key);
  const actor = identify(parts.guests, caller, message);
  return actor instanceof Promise
    ? actor.then((known) => prepared(parts, known, message))
    : prepared(parts, actor, message);
}

export interface Prepared {
  actor: Actor;
  draft: Draft;
}

function prepared(parts: ChatParts, actor: Actor, message: SentMessage): Prepared {
  const { type } = message;
  const system = type === 'MESSAGE_TYPE_SYSTEM' && actor.standing === 'privileged';
  if (!system && type !== 'MESSAGE_TYPE_TEXT' && type !== 'MESSAGE_TYPE_UNSPECIFIED') {
    throw invalid('type', `is ${type}; MESSAGE_TYPE_TEXT is allowed`);
  }
  if (actor.standing !== 'privileged') parts.limits.sends.take(actor.userId);
  return { actor, draft: textDraft(actor, message, system ? 'SYSTEM' : 'TEXT') };
}
