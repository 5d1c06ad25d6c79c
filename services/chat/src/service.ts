/** Builds chat from its parts. */
import {
  type AuthMode,
  type Logger,
  type Metrics,
  type RpcClient,
  repeat,
  type Service,
  type TokenVerifier,
} from '@parley/kit';
import { DeliveryMetrics } from './delivery/delivery-metrics.ts';
import { Feeds } from './delivery/feeds.ts';
import { Flusher } from './delivery/flusher.ts';
import type { ChatLog } from './log/log.ts';
import { Outbox } from './messages/outbox.ts';
import { SeenPositions } from './messages/seen.ts';
import { toMove } from './people/balance.ts';
import { GuestNames } from './people/guest-names.ts';
import { RateLimit } from './people/rate-limit.ts';
import { OpenStreams } from './people/streams.ts';
import { Presences } from './presence/presence.ts';
import { Rooms, type RoomsMode } from './rooms/rooms.ts';
import { chatService } from './rpc/chat-service.ts';
import type { ChatParts } from './rpc/parts.ts';
import { roomAdminService } from './rpc/room-admin.ts';
import type { ChatSettings } from './settings.ts';

export interface ChatServiceParts {
  /** Who disposes of it is who opened it. */
  log: ChatLog;
  users: RpcClient<'auth.AuthService'>;
  /** The verifier of the server that this service runs on: it is told of revocations. */
  verifier: TokenVerifier;
  /** This process's name among its peers, for logs. */
  podId: string;
  settings: ChatSettings;
  logger: Logger;
  metrics: Metrics;
  authMode: AuthMode;
  roomsMode: RoomsMode;
}

const expireEveryMs = 1000;
const balanceEveryMs = 5000;
const drainWithinMs = 1500;

/** Builds chat.ChatService and chat.RoomAdminService. @throws AppError UNAVAILABLE where the log is away. */
export async function createChatService(settings: ChatServiceParts): Promise<Service> {
  const { log, users, verifier, logger, metrics } = settings;
  const { sendsPerSecond, joinsPerSecond, joinsPerAddress } = settings.settings;
  const rooms = new Rooms(log, settings.roomsMode);
  const seen = new SeenPositions();
  const streams = new OpenStreams();
  const steps = metrics.counter('chat_log_steps_total', 'Steps that were written to the log.');
  const sends = metrics.counter('chat_messages_total', 'Messages that were accepted.');
  metrics.gauge('chat_streams', 'Streams that are open.', [], function () {
    this.set(streams.size);
  });
  const presences = new Presences({ log, logger, seen: (roomId) => seen.of(roomId), streams: () => streams.size });
  const feeds: Feeds = new Feeds({
    log,
    rooms,
    flusher: new Flusher(),
    logger,
    metrics: new DeliveryMetrics(metrics),
    seen: (roomId, position) => seen.note(roomId, position),
    restarted: (roomId) => void presences.reenter(roomId),
    removed: (roomId, userId) => presences.expel(roomId, userId),
    gone: (roomId) => {
      seen.forget(roomId);
      presences.gone(roomId);
      feeds.forget(roomId);
    },
  });
  const outbox = new Outbox({
    log,
    rooms,
    seen,
    stepped: (drafts) => {
      steps.inc();
      sends.inc(drafts);
    },
  });
  const parts: ChatParts = {
    log,
    rooms,
    feeds,
    outbox,
    presences,
    guests: new GuestNames(users),
    streams,
    verifier,
    limits: {
      sends: new RateLimit('messages', sendsPerSecond, sendsPerSecond),
      joins: new RateLimit('streams', joinsPerSecond, joinsPerSecond),
      addresses: new RateLimit('streams from your address', joinsPerAddress, joinsPerAddress),
    },
    settings: settings.settings,
    logger,
    metrics,
  };
  await rooms.begin();
  // Who follows the revocations for this process's verifier is who made it.
  const revocations = verifier.onRevoked(() => streams.revoke((caller) => verifier.isRevoked(caller)));
  let draining = false;
  const work = [
    repeat('streams.expire', expireEveryMs, logger, async () => streams.expire()),
    repeat('streams.balance', balanceEveryMs, logger, async () => {
      const loads = await log.loads();
      const moved = draining ? 0 : streams.move(toMove(streams.size, [...loads.values()]));
      if (moved > 0)
        logger.info({ pod: settings.podId, moved, streams: streams.size, pods: loads.size }, 'streams.moved');
    }),
  ];

  return {
    rpc: [chatService(parts), roomAdminService(parts)],
    checks: [{ name: 'chat log', check: () => log.check() }],
    async drain() {
      draining = true;
      await streams.drain(drainWithinMs);
      await presences.final().catch((err: unknown) => logger.warn({ err: String(err) }, 'presence.lease_not_ended'));
    },
    async [Symbol.asyncDispose]() {
      for (const one of work) await one[Symbol.asyncDispose]();
      revocations[Symbol.dispose]();
      await presences[Symbol.asyncDispose]();
      await feeds[Symbol.asyncDispose]();
    },
  };
}
