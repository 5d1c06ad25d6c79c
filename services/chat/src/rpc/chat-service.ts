/** chat.ChatService: the published protocol and what was added to it. */
import { implement, type ServedService } from '@parley/kit';
import { formatTime } from '../messages/cursor.ts';
import { connect } from './connect.ts';
import { markRead } from './marks.ts';
import { muteMember, removeMember, removeMessage } from './moderation.ts';
import type { ChatParts } from './parts.ts';
import { joinRoom, subscribe } from './read-streams.ts';
import { getRoomInfo, listMessages, listRooms } from './room-queries.ts';
import { prepareSend } from './send.ts';

export function chatService(parts: ChatParts): ServedService {
  return implement(
    'chat.ChatService',
    {
      joinRoom: 'open',
      sendMessage: 'open',
      listRooms: 'open',
      getRoomInfo: 'open',
      subscribe: 'open',
      connect: 'open',
      listMessages: 'open',
      markRead: 'open',
      removeMessage: 'open',
      muteMember: 'open',
      removeMember: 'open',
    },
    {
      joinRoom: (request, context, out) => joinRoom(parts, request, context, out),
      subscribe: (request, context, out) => subscribe(parts, request, context, out),
      connect: (incoming, context, out) => connect(parts, incoming, context, out),

      async sendMessage(message, { caller }) {
        const { actor, draft } = await prepareSend(parts, caller, message);
        const { kind, id, position, timestampMs } = await parts.outbox.sendOne(message.room_id, actor, draft);
        return {
          success: true,
          message_id: id,
          sequence: position.sequence,
          epoch: position.epoch,
          timestamp: formatTime(timestampMs),
          duplicate: kind === 'duplicate',
        };
      },

      listRooms: (request, context) => listRooms(parts, request, context),
      getRoomInfo: (request, context) => getRoomInfo(parts, request, context),
      listMessages: (request, context) => listMessages(parts, request, context),

      async markRead(request, { caller }) {
        await markRead(parts, caller, request);
        return {};
      },
      async removeMessage(request, { caller }) {
        await removeMessage(parts, request, caller);
        return {};
      },
      async muteMember(request, { caller }) {
        await muteMember(parts, request, caller);
        return {};
      },
      async removeMember(request, { caller }) {
        await removeMember(parts, request, caller);
        return {};
      },
    },
  );
}
