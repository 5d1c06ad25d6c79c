/** Where a reader stands after the last message that passed: read only when the proxy has to end his stream. */
import type { Method } from '@parley/kit';
import type { ChatMessage__Output } from '@parley/proto/chat/ChatMessage';
import type { SubscribeResponse__Output } from '@parley/proto/chat/SubscribeResponse';

/** The cursor after this message of a room's stream; undefined where the stream is no room's, or the place is not known. */
export function cursorAfter(method: Method, bytes: Buffer): string | undefined {
  if (method.service !== 'chat.ChatService') return undefined;
  if (method.name === 'JoinRoom') return cursorOf(method.decodeResponse(bytes) as ChatMessage__Output);
  if (method.name !== 'Subscribe') return undefined;
  // `opened` names the end of the log, before which there may be messages still to come: no place to go on from.
  const last = (method.decodeResponse(bytes) as SubscribeResponse__Output).messages.at(-1);
  return last && cursorOf(last);
}

function cursorOf({ epoch, sequence }: ChatMessage__Output): string | undefined {
  return epoch === '' ? undefined : `${epoch}-${sequence}`;
}
