/** All rooms that somebody looks at through this gateway process, over a few streams to chat. */
import { createHash, randomUUID } from 'node:crypto';
import { activeTraceparent, type Logger, type RpcClient } from '@parley/kit';
import type { ChatMessage } from '@parley/proto/chat/ChatMessage';
import type { ListMessagesResponse__Output } from '@parley/proto/chat/ListMessagesResponse';
import type { SendMessageResponse__Output } from '@parley/proto/chat/SendMessageResponse';
import { Room } from './room.ts';
import { Subscription, type Viewer } from './subscription.ts';
import { Upstream } from './upstream.ts';

export interface HubSettings {
  chat: RpcClient<'chat.ChatService'>;
  /** Who asks chat: a service of ours, most of the time, which acts for its viewers. */
  token(): string;
  /** How many Connect streams the rooms share. */
  streams: number;
  log: Logger;
}

export interface Identity {
  userId: string;
  username: string;
}

const pageSize = 200;

export class Hub implements Disposable {
  readonly #settings: HubSettings;
  readonly #rooms = new Map<string, Room>();
  readonly #upstreams: Upstream[];

  constructor(settings: HubSettings) {
    this.#settings = settings;
    const { chat, token, log } = settings;
    this.#upstreams = Array.from(
      { length: settings.streams },
      () =>
        new Upstream({
          connect: () => chat.connect({ token: token() }),
          token,
          onEvent: (stream, event) => this.#rooms.get(event.room_id)?.event(stream, event),
          onTyping: (typing) => this.#rooms.get(typing.room_id)?.typing(typing),
          log,
        }),
    );
  }

  get rooms(): number {
    return this.#rooms.size;
  }

  /** Begins a viewer's subscription; `start` runs it. @param onEnd called once, however it ends */
  subscribe(roomId: string, { userId, username }: Identity, viewer: Viewer, onEnd: () => void): Subscription {
    const room = this.#room(roomId);
    return new Subscription(room, room.member(userId, username), viewer, onEnd);
  }

  /** Sends in a member's name. Without a key of his it gets one, so that asking again never says it twice. */
  send(message: ChatMessage, { userId, username }: Identity): Promise<SendMessageResponse__Output> {
    const idempotency_key = message.idempotency_key || randomUUID();
    const send = { ...message, idempotency_key, user_id: userId, username };
    const traceparent = activeTraceparent();
    return new Promise((resolve, reject) => {
      this.#upstream(message.room_id ?? '').ask({
        frame: () => (traceparent ? { send, traceparent } : { send }),
        answered: ({ sent }) => resolve(sent!),
        failed: reject,
      });
    });
  }

  typing(roomId: string, { userId, username }: Identity): void {
    this.#upstream(roomId).tell({ typing: { room_id: roomId, user_id: userId, username } });
  }

  [Symbol.dispose](): void {
    for (const room of [...this.#rooms.values()]) room.endAll('UNAVAILABLE');
    for (const upstream of this.#upstreams) upstream[Symbol.dispose]();
  }

  #room(roomId: string): Room {
    let room = this.#rooms.get(roomId);
    if (room === undefined) {
      const made: Room = new Room({
        id: roomId,
        upstream: this.#upstream(roomId),
        page: (after) => this.#list(roomId, after, after ? pageSize : 0),
        next: (after) => this.#list(roomId, after, 1),
        isWatchedBy: (userId) => this.#rooms.get(roomId)?.hasMember(userId) ?? false,
        onEmpty: () => {
          if (this.#rooms.get(roomId) === made) this.#rooms.delete(roomId);
        },
      });
      room = made;
      this.#rooms.set(roomId, room);
    }
    return room;
  }

  #list(room_id: string, after: string, limit: number): Promise<ListMessagesResponse__Output> {
    return this.#settings.chat.listMessages({ room_id, after, limit }, { token: this.#settings.token() });
  }

  #upstream(roomId: string): Upstream {
    const hash = createHash('sha1').update(roomId).digest().readUInt32BE();
    return this.#upstreams[hash % this.#upstreams.length]!;
  }
}
