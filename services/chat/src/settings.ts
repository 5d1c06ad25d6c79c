import { from, type SettingsOf, setting } from '@parley/kit';

export const chatSettings = {
  sendsPerSecond: setting(
    'PARLEY_CHAT_SENDS_PER_SECOND',
    from.integer(5000, 1, 1_000_000),
    'messages a second that one member may send, per process; rooms may ask for less',
    '5000',
  ),
  joinsPerSecond: setting(
    'PARLEY_CHAT_JOINS_PER_SECOND',
    from.integer(50, 1, 1_000_000),
    'streams a second that one member may open, per process',
    '50',
  ),
  joinsPerAddress: setting(
    'PARLEY_CHAT_JOINS_PER_ADDRESS',
    from.integer(5000, 1, 1_000_000),
    'streams a second that guests of one address may open, per process',
    '5000',
  ),
  queueBytes: setting(
    'PARLEY_CHAT_QUEUE_BYTES',
    from.integer(1_048_576, 65_536, 1_073_741_824),
    'bytes that may wait for a subscriber who reads slowly, before he is sent away with his cursor',
    '1048576',
  ),
  serviceQueueBytes: setting(
    'PARLEY_CHAT_SERVICE_QUEUE_BYTES',
    from.integer(16_777_216, 65_536, 1_073_741_824),
    "the same for a gateway's stream, which carries many subscribers",
    '16777216',
  ),
};

export type ChatSettings = SettingsOf<typeof chatSettings>;
