/** GET /v1/rooms/{room_id}/events: a room as server-sent events, to look at without being there. */
import type { OutgoingHttpHeaders, ServerResponse } from 'node:http';
import { AppError, type AuthMode, type Caller } from '@parley/kit';
import type { Closed__Output } from '@parley/proto/chat/Closed';
import type { Opened__Output } from '@parley/proto/chat/Opened';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Batch } from '../hub/entry.ts';
import type { Hub } from '../hub/hub.ts';
import type { Subscription, Viewer } from '../hub/subscription.ts';
import { Violations } from '../json/read.ts';
import type { Addresses } from './addresses.ts';
import { type Guests, newGuest } from './guests.ts';
import { checkRoomId } from './session.ts';

const commentEveryMs = 15_000;
const mostWaitingBytes = 1024 * 1024;

export interface EventStreamSettings {
  hub: Hub;
  /** A hub in the name of one caller. */
  hubOf(token: () => string): Hub;
  authMode: AuthMode;
  callerOf(request: FastifyRequest): Caller;
  streams: Set<EventStream>;
  addresses: Addresses;
  guests: Guests;
}

export function serveEvents(app: FastifyInstance, settings: EventStreamSettings): void {
  // A HEAD would be answered by a stream that nobody reads and that never ends.
  const options = { exposeHeadRoute: false };
  app.get<{ Params: { room_id: string } }>('/v1/rooms/:room_id/events', options, async (request, reply) => {
    const caller = settings.callerOf(request);
    if (caller.kind === 'guest' && settings.authMode === 'required') {
      throw new AppError('UNAUTHENTICATED', 'sign in first: send the access token as Authorization: Bearer <token>');
    }
    const { room_id: roomId } = request.params;
    checkRoomId(roomId);
    const after = cursorOf(request);
    settings.addresses.check(request.ip);
    const leave = settings.addresses.enter(request.ip);
    const identity = caller.kind === 'guest' ? newGuest() : caller;
    const stream = new EventStream(reply.raw, reply.getHeaders() as OutgoingHttpHeaders, caller);
    const isAdmin = caller.kind === 'user' && caller.role === 'admin';
    const hub = isAdmin ? settings.hubOf(() => request.token!) : settings.hub;
    const subscription = hub.subscribe(roomId, identity, stream, () => stream.finish());
    stream.subscription = subscription;
    settings.streams.add(stream);
    reply.raw.once('close', () => {
      leave();
      settings.streams.delete(stream);
      subscription.stop();
      if (hub !== settings.hub) hub[Symbol.dispose]();
    });
    try {
      await Promise.race([subscription.start({ after, observe: true, ref: '' }), stream.endedEarly]);
    } catch (error) {
      if (!reply.raw.headersSent) {
        throw caller.kind === 'guest' ? await settings.guests.explained(error, roomId) : error;
      }
      stream.closed(roomId, { code: error instanceof AppError ? error.code : 'INTERNAL', cursor: '' });
      stream.finish();
    }
    reply.hijack();
  });
}

function cursorOf(request: FastifyRequest): string {
  const query = request.query as Record<string, unknown>;
  const wrong = new Violations();
  for (const name of Object.keys(query))
    if (name !== 'after') wrong.add(name, 'is not a query parameter of this request');
  if (Array.isArray(query.after)) wrong.add('after', 'is given more than once');
  wrong.check();
  return request.headers['last-event-id']?.toString() || String(query.after ?? '');
}

function tooEarly(code: AppError['code']): AppError {
  if (code === 'UNAUTHENTICATED') return new AppError(code, 'signed out: sign in again');
  if (code === 'UNAVAILABLE') return new AppError(code, 'this gateway is shutting down: connect again');
  return new AppError(code, 'the room was closed before it could be shown');
}

export class EventStream implements Viewer {
  readonly caller: Caller;
  subscription: Subscription | undefined;
  /** Rejects with what to answer when the stream is over before it has begun. */
  readonly endedEarly: Promise<never>;
  readonly #endEarly: (error: AppError) => void;
  readonly #response: ServerResponse;
  readonly #headers: OutgoingHttpHeaders;
  #begun = false;
  #timers: NodeJS.Timeout[] = [];

  constructor(response: ServerResponse, headers: OutgoingHttpHeaders, caller: Caller) {
    this.#response = response;
    response.on('error', () => undefined); // Whoever has gone is told nothing more.
    this.#headers = headers;
    this.caller = caller;
    const { promise, reject } = Promise.withResolvers<never>();
    this.endedEarly = promise;
    this.#endEarly = reject;
  }

  opened(_roomId: string, { history_lost }: Opened__Output): void {
    this.#begin();
    if (history_lost === 'HISTORY_LOST_UNSPECIFIED') return;
    this.#event('history_lost', { reason: history_lost.replace('HISTORY_LOST_', '') });
  }

  deliver(batch: Batch): void {
    this.#begin();
    if (this.#response.writableLength > mostWaitingBytes) {
      this.end('RESOURCE_EXHAUSTED');
      this.#response.destroy();
    } else {
      this.#response.write(batch.events);
    }
  }

  closed(_roomId: string, closed: Closed__Output): void {
    if (this.#begun) this.#event('closed', closed);
    else this.#endEarly(tooEarly(closed.code as AppError['code']));
  }

  typing(): void {}

  end(code: AppError['code']): void {
    this.subscription?.end(this.subscription.closing(code));
  }

  finish(): void {
    for (const timer of this.#timers) clearTimeout(timer);
    // The closing event is written after the subscription has ended.
    if (this.#begun) setImmediate(() => this.#response.end());
  }

  #begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#response.writeHead(200, {
      ...this.#headers,
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
    });
    this.#response.write(':\n\n');
    this.#timers.push(setInterval(() => this.#response.write(':\n\n'), commentEveryMs));
    if (this.caller.kind === 'guest') return;
    const leftMs = this.caller.expiresAt * 1000 - Date.now();
    this.#timers.push(setTimeout(() => this.end('UNAUTHENTICATED'), Math.min(leftMs, 2 ** 31 - 1)));
  }

  #event(name: string, data: object): void {
    if (this.#response.writableEnded) return;
    this.#response.write(`event: ${name}\ndata: ${JSON.stringify(data)}\n\n`);
  }
}
