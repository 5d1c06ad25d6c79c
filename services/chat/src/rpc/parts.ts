import type { Logger, Metrics, TokenVerifier } from '@parley/kit';
import type { Feeds } from '../delivery/feeds.ts';
import type { ChatLog } from '../log/log.ts';
import type { Outbox } from '../messages/outbox.ts';
import type { GuestNames } from '../people/guest-names.ts';
import type { RateLimit } from '../people/rate-limit.ts';
import type { OpenStreams } from '../people/streams.ts';
import type { Presences } from '../presence/presence.ts';
import type { Rooms } from '../rooms/rooms.ts';
import type { ChatSettings } from '../settings.ts';

/** What the methods of chat share. */
export interface ChatParts {
  log: ChatLog;
  rooms: Rooms;
  feeds: Feeds;
  outbox: Outbox;
  presences: Presences;
  guests: GuestNames;
  streams: OpenStreams;
  verifier: TokenVerifier;
  limits: { sends: RateLimit; joins: RateLimit; addresses: RateLimit };
  settings: ChatSettings;
  logger: Logger;
  metrics: Metrics;
}
