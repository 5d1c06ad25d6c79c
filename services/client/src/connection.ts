/** Rooms over one link: subscriptions that resume, and messages that are sent until they are answered. */
import { type BackoffLimits, backoffMs } from './backoff.ts';
import { type Credential, Link, type LinkState } from './link.ts';
import { isPassing, type ParleyError } from './problem.ts';
import { randomKey } from './random-key.ts';
import type { RoomEvent } from './room/events.ts';
import { reduce } from './room/reduce.ts';
import { cursorOf, emptyRoom, type Pending, type RoomState, sequenceOf } from './room/state.ts';
import { Sender, whatIsWrong } from './sender.ts';
import type { ChatMessage, ServerFrame } from './wire.ts';

export interface ConnectionOptions {
  /** The gateway's origin, such as `http://localhost:8080`. */
  url: string;
  /** What to sign in with; see Session.credential. */
  credential: (refused: boolean) => Promise<Credential>;
  /** Who a guest is; absent for somebody with a token. */
  guest?: { userId: string; username: string };
  onState?: (state: LinkState) => void;
  /** Called after every change of a room. */
  onRoom?: (room: RoomState, event: RoomEvent) => void;
  limits?: BackoffLimits;
}

interface Wish {
  observe: boolean;
  /** Where to begin while nothing of the room is here. */
  after: string;
  attempt: number;
  timer?: ReturnType<typeof setTimeout>;
}

const typingEveryMs = 3_000;
const typingLastsMs = 5_000;

export class Connection {
  readonly #options: ConnectionOptions;
  readonly #link: Link;
  readonly #rooms = new Map<string, RoomState>();
  readonly #wishes = new Map<string, Wish>();
  readonly #sender: Sender;
  readonly #typedAt = new Map<string, number>();

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.#link = new Link({
      ...options,
      onFrame: (frame) => this.#received(frame),
      onState: (state) => this.#linkChanged(state),
    });
    this.#sender = new Sender({
      link: this.#link,
      limits: options.limits,
      room: (roomId) => this.room(roomId),
      apply: (roomId, event) => this.#apply(roomId, event),
      identity: () => this.#identity(),
    });
  }

  get state(): LinkState {
    return this.#link.state;
  }

  room(roomId: string): RoomState {
    return this.#rooms.get(roomId) ?? emptyRoom(roomId, this.#me);
  }

  start(): void {
    this.#link.start();
  }

  stop(): void {
    for (const { timer } of this.#wishes.values()) clearTimeout(timer);
    this.#sender.stop();
    this.#link.stop();
  }

  /** See Link.wake. */
  wake(): void {
    this.#link.wake();
  }

  /**
   * Wants a room's messages until leave(): through every reconnect, each once and in order.
   *
   * @param how.observe look without being there.
   * @param how.after where to begin; without it, the usual history.
   */
  join(roomId: string, how: { observe?: boolean; after?: string } = {}): void {
    const observe = how.observe ?? false;
    const wish = this.#wishes.get(roomId);
    if (wish?.observe === observe && this.room(roomId).phase !== 'refused') return;
    clearTimeout(wish?.timer);
    if (wish) this.#request({ unsubscribe: { room_id: roomId } });
    // Somebody who only looked has no history yet, so being there begins anew.
    if (wish?.observe && !observe)
      this.#rooms.set(roomId, { ...emptyRoom(roomId, this.#me), pending: this.room(roomId).pending });
    this.#wishes.set(roomId, { observe, after: how.after ?? '', attempt: 0 });
    this.#subscribe(roomId);
  }

  leave(roomId: string): void {
    const wish = this.#wishes.get(roomId);
    if (!wish) return;
    clearTimeout(wish.timer);
    this.#wishes.delete(roomId);
    this.#request({ unsubscribe: { room_id: roomId } });
    this.#apply(roomId, { kind: 'closed' });
  }

  /**
   * Shows a message at once and sends it until it is answered.
   *
   * @returns its idempotency key, by which it is among the room's pending ones until it is in the log.
   */
  send(roomId: string, content: string, key = randomKey()): string {
    this.#apply(roomId, { kind: 'queued', key, content, at: Date.now() });
    const wrong = whatIsWrong(content);
    if (wrong) this.#apply(roomId, { kind: 'failed', key, error: { code: 'INVALID_ARGUMENT', message: wrong } });
    else this.#sender.pump(roomId);
    return key;
  }

  /** Brings back what an earlier connection had not said: it is sent, or, if it was refused, waits for retry() or dismiss(). */
  restore(roomId: string, { key, content, at, error }: Pick<Pending, 'key' | 'content' | 'at' | 'error'>): void {
    this.#apply(roomId, { kind: 'queued', key, content, at });
    if (error) this.#apply(roomId, { kind: 'failed', key, error });
    else this.#sender.pump(roomId);
  }

  /** Sends a failed message again, with the key that it had. */
  retry(roomId: string, key: string): void {
    this.#apply(roomId, { kind: 'retried', key });
    this.#sender.pump(roomId);
  }

  dismiss(roomId: string, key: string): void {
    this.#apply(roomId, { kind: 'dismissed', key });
  }

  /** Says that somebody is typing: as often as one likes, told every 3 s. */
  typing(roomId: string): void {
    const now = Date.now();
    if (now - (this.#typedAt.get(roomId) ?? 0) < typingEveryMs) return;
    this.#typedAt.set(roomId, now);
    this.#link.tell({ typing: { room_id: roomId, ...this.#identity() } });
  }

  /** Everything up to the last message here has been read. */
  markRead(roomId: string): void {
    const state = this.room(roomId);
    if (state.unread > 0) this.#apply(roomId, { kind: 'unread', count: 0 });
    const cursor = cursorOf(state);
    if (cursor && !this.#options.guest) this.#request({ read: { room_id: roomId, cursor } });
  }

  /** Puts in what was read elsewhere, such as older messages or who is there. */
  put(roomId: string, event: Extract<RoomEvent, { kind: 'older' | 'present' | 'named' | 'unread' | 'tick' }>): void {
    this.#apply(roomId, event);
  }

  get #me(): string {
    if (this.#options.guest) return this.#options.guest.userId;
    return this.#link.state.status === 'online' ? this.#link.state.userId : '';
  }

  #identity(): { user_id?: string; username?: string } {
    const { guest } = this.#options;
    return guest ? { user_id: guest.userId, username: guest.username } : {};
  }

  #apply(roomId: string, event: RoomEvent): RoomState {
    const state = reduce(this.room(roomId), event);
    this.#rooms.set(roomId, state);
    this.#options.onRoom?.(state, event);
    return state;
  }

  #linkChanged(state: LinkState): void {
    this.#options.onState?.(state);
    for (const roomId of this.#rooms.keys())
      if (state.status === 'online') this.#apply(roomId, { kind: 'identified', me: this.#me });
      else if (this.room(roomId).phase === 'open') this.#apply(roomId, { kind: 'closed' });
    if (state.status !== 'online') return;
    for (const roomId of this.#wishes.keys()) this.#subscribe(roomId);
    for (const roomId of this.#rooms.keys()) this.#sender.pump(roomId);
  }

  #subscribe(roomId: string): void {
    const wish = this.#wishes.get(roomId);
    if (!wish || this.#link.state.status !== 'online') return;
    clearTimeout(wish.timer);
    this.#apply(roomId, { kind: 'opening' });
    const { observe } = wish;
    const after = cursorOf(this.room(roomId)) || wish.after;
    this.#link.request({ subscribe: { room_id: roomId, after, observe, ...this.#identity() } }).then(
      () => {
        wish.attempt = 0;
      },
      (error: ParleyError) => this.#refused(roomId, wish, error),
    );
  }

  #refused(roomId: string, wish: Wish, { code, message, details }: ParleyError): void {
    if (this.#wishes.get(roomId) !== wish || this.#link.state.status !== 'online') return;
    const error = { code, message };
    if (!isPassing(code)) {
      this.#apply(roomId, { kind: 'refused', error });
      return;
    }
    // What the next attempt gets over is not worth a word; a room that is full, or a limit, may last.
    if (code === 'RESOURCE_EXHAUSTED' || wish.attempt > 0) this.#apply(roomId, { kind: 'deferred', error });
    this.#resubscribeLater(roomId, wish, details.retryAfterMs);
  }

  #resubscribeLater(roomId: string, wish: Wish, retryAfterMs = 0): void {
    const inMs = Math.max(retryAfterMs, backoffMs(wish.attempt++, this.#options.limits));
    clearTimeout(wish.timer);
    // Whether or not the last one was heard, this one must not be the second.
    wish.timer = setTimeout(() => this.#resume(roomId), inMs);
  }

  #received({ event, typing }: ServerFrame): void {
    if (typing) {
      const { room_id, user_id, username } = typing;
      if (this.#rooms.has(room_id))
        this.#apply(room_id, { kind: 'typing', userId: user_id, username, until: Date.now() + typingLastsMs });
    }
    if (!event) return;
    const roomId = event.room_id;
    const wish = this.#wishes.get(roomId);
    if (!wish) return;
    if (event.opened) {
      const { cursor, resumed, history_lost } = event.opened;
      const lost = history_lost === 'HISTORY_LOST_UNSPECIFIED' ? undefined : history_lost;
      this.#apply(roomId, { kind: 'opened', cursor, resumed, lost });
    }
    const messages = event.messages ?? [];
    const logged = messages.filter((message) => sequenceOf(message) > 0);
    if (logged.length > 0) {
      const before = this.room(roomId).jumped;
      const { jumped } = this.#apply(roomId, { kind: 'messages', messages: logged });
      if (jumped && !before) this.#resume(roomId);
    }
    const welcome = messages.find((message) => sequenceOf(message) === 0);
    if (welcome) this.#welcomed(roomId, welcome);
    if (event.closed) this.#roomClosed(roomId, wish, event.closed.code);
  }

  /** A stream that begins without a cursor welcomes each time: whoever had nothing to resume after has heard it before. */
  #welcomed(roomId: string, message: ChatMessage): void {
    if (this.room(roomId).welcome?.message.content === message.content) return;
    this.#apply(roomId, { kind: 'welcomed', message });
  }

  /** Takes a room's stream up again, after the last message that is here. */
  #resume(roomId: string): void {
    this.#request({ unsubscribe: { room_id: roomId } });
    this.#subscribe(roomId);
  }

  /** The stream ended on the server's side: elsewhere it goes on from the cursor, unless it was closed for good. */
  #roomClosed(roomId: string, wish: Wish, code: string): void {
    this.#apply(roomId, { kind: 'closed' });
    if (isPassing(code) || code === '' || code === 'OK') this.#resubscribeLater(roomId, wish);
    else this.#apply(roomId, { kind: 'refused', error: { code, message: closedBecause(code) } });
  }

  /** For requests whose answer changes nothing here. */
  #request(frame: Parameters<Link['request']>[0]): void {
    if (this.#link.state.status === 'online') this.#link.request(frame).catch(() => {});
  }
}

function closedBecause(code: string): string {
  if (code === 'PERMISSION_DENIED') return 'you are no longer a member of this room';
  if (code === 'NOT_FOUND') return 'this room has been deleted';
  return `the server closed this room (${code})`;
}
