/** One WebSocket: who speaks, which rooms he looks at, and what becomes of each of his frames. */
import {
  AppError,
  type AuthMode,
  actsForOthers,
  badToken,
  type Caller,
  guest,
  inSpan,
  invalid,
  type RpcClient,
  SpanKind,
  type TokenVerifier,
  traceOf,
} from '@parley/kit';
import type { ClientFrame } from '@parley/proto/chat/ClientFrame';
import type { Closed__Output } from '@parley/proto/chat/Closed';
import type { Opened__Output } from '@parley/proto/chat/Opened';
import type { ServerFrame } from '@parley/proto/chat/ServerFrame';
import type { Typing__Output } from '@parley/proto/chat/Typing';
import type { Batch } from '../hub/entry.ts';
import type { Hub, Identity } from '../hub/hub.ts';
import type { Subscription, Viewer } from '../hub/subscription.ts';
import type { Budget } from './budget.ts';
import { type Kind, readClientFrame } from './client-frame.ts';
import { type Guests, newGuest } from './guests.ts';

/** The way out to one client. */
export interface Outlet {
  frame(json: string): void;
  batch(batch: Batch): void;
  close(code: number, reason: string): void;
}

export interface SessionSettings {
  hub: Hub;
  /** A hub in the name of one caller. */
  hubOf(token: () => string): Hub;
  chat: RpcClient<'chat.ChatService'>;
  verifier: TokenVerifier;
  authMode: AuthMode;
  guests: Guests;
  budget: Budget;
}

interface Named {
  room_id?: string;
  user_id?: string;
  username?: string;
}

/** Close codes of the contract. */
export const closeCodes = { goingAway: 1001, notSignedIn: 4401, slow: 4408 } as const;

const helloWithinMs = 10_000;
const mostRooms = 500;
const mostRequests = 256;
const longestTimerMs = 2 ** 31 - 1;

export class Session implements Viewer {
  readonly #settings: SessionSettings;
  readonly #out: Outlet;
  readonly #subscriptions = new Map<string, Subscription>();
  #caller: Caller = guest;
  #identity: Identity | undefined;
  #token: string | undefined;
  #hub: Hub;
  #timer: NodeJS.Timeout;
  #requests = 0;
  #ended = false;

  constructor(out: Outlet, settings: SessionSettings) {
    this.#out = out;
    this.#settings = settings;
    this.#hub = settings.hub;
    this.#timer = setTimeout(() => this.#notSignedIn(`no hello within ${helloWithinMs / 1000} s`), helloWithinMs);
  }

  get caller(): Caller {
    return this.#caller;
  }

  /** A text message from the client. Never throws. */
  heard(text: string): void {
    if (this.#ended) return;
    const waitMs = this.#settings.budget.take();
    const read = readClientFrame(text);
    if ('error' in read) this.#refuse(read.ref, read.error);
    else if (waitMs > 0 && read.kind !== 'hello') this.#refuse(read.ref, tooMuch('frames', waitMs));
    else if (this.#requests >= mostRequests) this.#refuse(read.ref, tooMuch('requests under way', 100));
    else void this.#run(read.ref, read.frame, read.kind);
  }

  /** Something that is no text message. */
  refuse(error: AppError): void {
    this.#refuse('', error);
  }

  opened(roomId: string, opened: Opened__Output, ref = ''): void {
    this.#write({ ref, event: { room_id: roomId, messages: [], opened } });
  }

  deliver(batch: Batch): void {
    this.#out.batch(batch);
  }

  closed(roomId: string, closed: Closed__Output): void {
    this.#write({ event: { room_id: roomId, messages: [], closed } });
  }

  typing(typing: Typing__Output): void {
    this.#write({ typing });
  }

  /** The sign-in is not good any more: a revocation. */
  revoke(): void {
    this.#notSignedIn('signed out');
  }

  /** The gateway goes: every room is told where it stands, and the client connects elsewhere. */
  drain(): void {
    for (const subscription of [...this.#subscriptions.values()]) subscription.end(subscription.closing('UNAVAILABLE'));
    this.#close(closeCodes.goingAway, 'this gateway is shutting down: connect again');
  }

  /** The connection has gone. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
    for (const subscription of [...this.#subscriptions.values()]) subscription.stop();
    if (this.#hub !== this.#settings.hub) this.#hub[Symbol.dispose]();
  }

  async #run(ref: string, frame: ClientFrame, kind: Kind): Promise<void> {
    this.#requests++;
    try {
      if (kind !== 'hello' && this.#identity === undefined) {
        throw new AppError(
          'UNAUTHENTICATED',
          'say hello first: {"hello":{"token":"…"}}, with an empty token as a guest',
        );
      }
      await this.#answers[kind](ref, frame);
    } catch (error) {
      const roomId = (frame.subscribe ?? frame.send)?.room_id ?? '';
      const isGuest = this.#caller.kind === 'guest';
      this.#refuse(ref, isGuest ? await this.#settings.guests.explained(error, roomId) : error);
    } finally {
      this.#requests--;
    }
  }

  readonly #answers: Record<Kind, (ref: string, frame: ClientFrame) => Promise<void> | void> = {
    hello: (ref, { hello }) => this.#hello(ref, hello!.token ?? ''),
    subscribe: (ref, { subscribe }) => this.#subscribe(ref, subscribe!),
    unsubscribe: (ref, { unsubscribe }) => {
      this.#subscriptions.get(unsubscribe!.room_id ?? '')?.stop();
      this.#write({ ref, ack: {} });
    },
    send: async (ref, { send, traceparent }) => {
      const identity = await this.#actingAs(send!);
      const trace = { kind: SpanKind.SERVER, parent: traceOf(traceparent ?? '') };
      const sent = await inSpan('WebSocket send', {}, () => this.#hub.send(send!, identity), trace);
      this.#write({ ref, sent });
    },
    typing: (ref, { typing }) => {
      const roomId = typing!.room_id ?? '';
      const subscription = this.#subscriptions.get(roomId);
      if (!subscription) throw new AppError('FAILED_PRECONDITION', 'subscribe to the room before typing in it');
      this.#hub.typing(roomId, subscription.member);
      if (ref) this.#write({ ref, ack: {} });
    },
    read: async (ref, { read }) => {
      await this.#settings.chat.markRead(read!, { token: this.#token });
      this.#write({ ref, ack: {} });
    },
  };

  #hello(ref: string, token: string): void {
    let caller: Caller;
    try {
      if (token === '' && this.#settings.authMode === 'required') throw badToken();
      caller = token === '' ? guest : this.#settings.verifier.verify(token);
    } catch (error) {
      this.#refuse(ref, error);
      this.#notSignedIn('not signed in');
      return;
    }
    const identity = caller.kind === 'guest' ? (this.#guestIdentity() ?? newGuest()) : caller;
    if (this.#identity && this.#identity.userId !== identity.userId && this.#subscriptions.size > 0) {
      throw new AppError('PERMISSION_DENIED', 'this connection has rooms open as another user: connect again');
    }
    this.#caller = caller;
    this.#identity = { userId: identity.userId, username: identity.username };
    this.#token = token || undefined;
    const isAdmin = caller.kind === 'user' && caller.role === 'admin';
    if (isAdmin && this.#hub === this.#settings.hub) this.#hub = this.#settings.hubOf(() => this.#token!);
    clearTimeout(this.#timer);
    if (caller.kind !== 'guest') {
      const leftMs = caller.expiresAt * 1000 - Date.now();
      this.#timer = setTimeout(
        () => this.#notSignedIn('the access token has expired'),
        Math.min(leftMs, longestTimerMs),
      );
    }
    this.#write({ ref, welcome: { user_id: identity.userId, username: identity.username } });
  }

  /** A guest who says hello again is still the same guest. */
  #guestIdentity(): Identity | undefined {
    return this.#caller.kind === 'guest' ? this.#identity : undefined;
  }

  async #subscribe(ref: string, wish: NonNullable<ClientFrame['subscribe']>): Promise<void> {
    const roomId = wish.room_id ?? '';
    checkRoomId(roomId);
    if (this.#subscriptions.has(roomId)) throw alreadySubscribed();
    if (this.#subscriptions.size >= mostRooms) {
      throw new AppError('RESOURCE_EXHAUSTED', `at most ${mostRooms} rooms are allowed on a connection`);
    }
    const identity = await this.#actingAs(wish);
    if (this.#ended) return;
    if (this.#subscriptions.has(roomId)) throw alreadySubscribed();
    const subscription = this.#hub.subscribe(roomId, identity, this, () => {
      if (this.#subscriptions.get(roomId) === subscription) this.#subscriptions.delete(roomId);
    });
    this.#subscriptions.set(roomId, subscription);
    await subscription.start({ after: wish.after ?? '', observe: wish.observe ?? false, ref });
  }

  /** In whose name: one's own, unless an admin names another; a guest may call himself what nobody is called. */
  async #actingAs({ user_id, username, room_id }: Named): Promise<Identity> {
    const own = this.#identity!;
    const named = { userId: user_id || own.userId, username: username || own.username };
    if (named.userId === own.userId && named.username === own.username) return own;
    if (this.#caller.kind === 'guest') await this.#checkGuest(named, room_id ?? '');
    else if (!actsForOthers(this.#caller)) {
      throw new AppError(
        'PERMISSION_DENIED',
        'user_id and username are somebody else; leave them out to speak as yourself',
      );
    }
    return named;
  }

  async #checkGuest(named: Identity, roomId: string): Promise<void> {
    checkRoomId(roomId);
    await Promise.all([this.#settings.guests.check(named), this.#settings.guests.checkRoom(roomId, named)]);
  }

  #refuse(ref: string, error: unknown): void {
    const known = error instanceof AppError ? error : new AppError('INTERNAL', 'something went wrong on our side');
    const { code, message, details } = known;
    this.#write({ ref, error: { code, message, retry_after_ms: String(Math.ceil(details.retryAfterMs ?? 0)) } });
  }

  #notSignedIn(why: string): void {
    this.#close(closeCodes.notSignedIn, why);
  }

  #close(code: number, reason: string): void {
    this.end();
    this.#out.close(code, reason);
  }

  #write(frame: ServerFrame): void {
    if (frame.ref === '') delete frame.ref;
    this.#out.frame(JSON.stringify(frame));
  }
}

function alreadySubscribed(): AppError {
  return new AppError('ALREADY_EXISTS', 'this connection is subscribed to the room: unsubscribe first');
}

function tooMuch(what: string, retryAfterMs: number): AppError {
  return new AppError('RESOURCE_EXHAUSTED', `too many ${what} on this connection: try again in a moment`, {
    retryAfterMs,
  });
}

/** @throws AppError INVALID_ARGUMENT */
export function checkRoomId(roomId: string): void {
  if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/.test(roomId)) return;
  const shown = JSON.stringify(roomId.slice(0, 60));
  throw invalid(
    'room_id',
    `is ${shown}; 1 to 128 letters, digits, dots, underscores and dashes are allowed, a letter or digit first`,
  );
}
