/** The gateway, put together: one HTTP port for REST, WebSockets, event streams and the page. */
import type { AddressInfo, Server } from 'node:net';
import {
  type AuthMode,
  type Caller,
  jwks,
  type KeyRing,
  type Logger,
  type Metrics,
  portError,
  type RpcChannel,
  type Service,
  type SettingsOf,
  type TokenVerifier,
} from '@parley/kit';
import type { ServiceName } from '@parley/proto';
import { createHttp } from './http.ts';
import { Hub } from './hub/hub.ts';
import { Addresses } from './live/addresses.ts';
import { type EventStream, serveEvents } from './live/events.ts';
import { Guests } from './live/guests.ts';
import type { Session } from './live/session.ts';
import { serveWebSockets } from './live/websocket.ts';
import { serveDocs } from './openapi/docs.ts';
import { servePage } from './page/page.ts';
import { serveRest } from './rest/serve.ts';
import type { gatewaySettings } from './settings.ts';

export type Target = 'user' | 'chat' | 'order' | 'payment';

export interface GatewaySettings {
  channels: Record<Target, RpcChannel>;
  /** Whose public halves /.well-known/jwks.json shows. */
  keys: KeyRing;
  verifier: TokenVerifier;
  serviceToken: () => string;
  /** The built page; without it there is the API alone. */
  webDirectory?: string;
  settings: SettingsOf<typeof gatewaySettings>;
  authMode: AuthMode;
  log: Logger;
  metrics: Metrics;
  port: number;
}

export interface Gateway extends Service {
  httpPort: number;
}

export const targetOf: Record<ServiceName, Target> = {
  'user.UserService': 'user',
  'auth.AuthService': 'user',
  'chat.ChatService': 'chat',
  'chat.RoomAdminService': 'chat',
  'order.OrderService': 'order',
  'payment.PaymentService': 'payment',
};

/** Listens at once. @throws StartError where the port is in use. */
export async function createGateway(parts: GatewaySettings): Promise<Gateway> {
  const { channels, keys, verifier, serviceToken, settings, authMode, log, metrics, port } = parts;
  const chat = channels.chat.client('chat.ChatService');
  const auth = channels.user.client('auth.AuthService');
  const hub = new Hub({ chat, token: serviceToken, streams: settings.chatStreams, log });
  // Chat lets an admin into every room, but only as himself: he has a stream of his own.
  const hubOf = (token: () => string) => new Hub({ chat, token, streams: 1, log });
  const sessions = new Set<Session>();
  const streams = new Set<EventStream>();
  const app = await createHttp({ settings, verifier, log, metrics });

  serveRest(app, { channelOf: (service) => channels[targetOf[service]], serviceToken });
  const guests = new Guests(auth, chat, serviceToken);
  const slow = metrics.counter('parley_gateway_slow_viewers_total', 'Viewers closed because they read too slowly.');
  const addresses = new Addresses(settings.connectionsPerAddress);
  const live = {
    hub,
    hubOf,
    addresses,
    chat,
    verifier,
    authMode,
    guests,
    framesPerSecond: settings.framesPerSecond,
    sessions,
    slow,
  };
  await serveWebSockets(app, live);
  serveEvents(app, { hub, hubOf, addresses, guests, authMode, callerOf: (request) => request.caller, streams });
  app.get('/.well-known/jwks.json', (_request, reply) =>
    reply.header('cache-control', 'public, max-age=60').send(jwks(keys)),
  );
  serveDocs(app);
  await servePage(app, parts.webDirectory);
  metrics.gauge('parley_gateway_viewers', 'Viewers connected, by how.', ['by'], function () {
    this.set({ by: 'websocket' }, sessions.size);
    this.set({ by: 'events' }, streams.size);
  });
  metrics.gauge('parley_gateway_rooms', 'Rooms that viewers look at.', [], function () {
    this.set(hub.rooms);
  });

  const isGood = (caller: Caller) => !verifier.isRevoked(caller);
  // Who follows the revocations for this process's verifier is who made it.
  const revocations = verifier.onRevoked(() => {
    for (const session of [...sessions]) if (!isGood(session.caller)) session.revoke();
    for (const stream of [...streams]) if (!isGood(stream.caller)) stream.end('UNAUTHENTICATED');
  });
  let draining = false;
  app.addHook('onSend', async (_request, reply) => {
    if (draining) reply.header('connection', 'close');
  });
  await app.listen({ port, host: '::' }).catch((error) => {
    revocations[Symbol.dispose]();
    hub[Symbol.dispose]();
    throw portError(error, port, 'PARLEY_HTTP_PORT');
  });

  let reached = false;
  return {
    httpPort: (app.server.address() as AddressInfo).port,
    rpc: [],
    checks: [
      {
        name: 'gateway',
        // Once chat and user were there, the gateway answers for itself: 503 is an answer too.
        async check() {
          if (!reached) await Promise.all([channels.user.ready(1500), channels.chat.ready(1500)]);
          reached = true;
        },
      },
    ],
    async drain() {
      // Who is in the middle of talking to us hears in his next answer that he should connect anew. An idle connection
      // that is closed may be closed just as a request is on its way.
      draining = true;
      await leaveGently([...sessions, ...streams]);
      await connectionsGone(app.server, drainWithinMs);
    },
    async [Symbol.asyncDispose]() {
      revocations[Symbol.dispose]();
      for (const session of [...sessions]) session.drain();
      for (const stream of [...streams]) stream.end('UNAVAILABLE');
      hub[Symbol.dispose]();
      const late = setTimeout(() => app.server.closeAllConnections(), 2000);
      await app.close();
      clearTimeout(late);
    },
  };
}

const drainWithinMs = 3000;

/** Waits until nobody is connected any more, for a while at most. */
async function connectionsGone(server: Server, withinMs: number): Promise<void> {
  const count = () =>
    new Promise<number>((resolve) => server.getConnections((_error, connections) => resolve(connections)));
  for (const until = performance.now() + withinMs; performance.now() < until && (await count()) > 0; ) {
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Viewers go one after the other within a second, so that they do not all arrive elsewhere at once. */
async function leaveGently(viewers: (Session | EventStream)[]): Promise<void> {
  const withinMs = Math.min(1000, viewers.length);
  await Promise.all(
    viewers.map(async (viewer) => {
      await new Promise((resolve) => setTimeout(resolve, Math.random() * withinMs));
      if ('drain' in viewer) viewer.drain();
      else viewer.end('UNAVAILABLE');
    }),
  );
}
