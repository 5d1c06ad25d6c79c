/** Messages that the methods encode themselves: frames for subscribers' streams. */
import { frame, messageCodec } from '@parley/kit';
import type { ChatMessage } from '@parley/proto/chat/ChatMessage';
import type { ServerFrame } from '@parley/proto/chat/ServerFrame';
import type { SubscribeResponse } from '@parley/proto/chat/SubscribeResponse';

const codecs = {
  single: messageCodec('chat.ChatMessage'),
  batch: messageCodec('chat.SubscribeResponse'),
  event: messageCodec('chat.ServerFrame'),
};

export const singleFrame = (message: ChatMessage): Buffer => frame(codecs.single.encode(message));
export const batchFrame = (response: SubscribeResponse): Buffer => frame(codecs.batch.encode(response));
export const serverFrame = (server: ServerFrame): Buffer => frame(codecs.event.encode(server));
