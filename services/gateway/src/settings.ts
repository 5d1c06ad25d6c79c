/** The gateway's settings. */
import { from, setting } from '@parley/kit';

const isOrigin = (text: string) => URL.canParse(text) && new URL(text).origin === text;
const isNetwork = (text: string) => /^([0-9a-f.:]+(\/\d{1,3})?|loopback|linklocal|uniquelocal)$/i.test(text);

export const gatewaySettings = {
  allowedOrigins: setting(
    'PARLEY_ALLOWED_ORIGINS',
    from.list('origins such as https://chat.example.org are allowed', isOrigin),
    'Origins of pages, other than our own, that may call from a browser; separated by commas.',
  ),
  trustedProxies: setting(
    'PARLEY_TRUSTED_PROXIES',
    from.list('networks such as 10.0.0.0/8, or loopback, linklocal, uniquelocal, are allowed', isNetwork),
    'Proxies in front of the gateway whose X-Forwarded-For and X-Forwarded-Proto are believed.',
  ),
  requestsPerMinute: setting(
    'PARLEY_REQUESTS_PER_MINUTE',
    from.integer(12_000, 1, 10_000_000),
    'HTTP requests that one user, or one address that is not signed in, may make in a minute.',
    '12000',
  ),
  signInsPerMinute: setting(
    'PARLEY_SIGN_INS_PER_MINUTE',
    from.integer(300, 1, 10_000_000),
    'Calls of /v1/auth that one address may make in a minute.',
    '300',
  ),
  framesPerSecond: setting(
    'PARLEY_FRAMES_PER_SECOND',
    from.integer(100, 1, 1_000_000),
    'Frames that one WebSocket may send in a second, over a longer time; twice as many at once.',
    '100',
  ),
  connections: setting(
    'PARLEY_CONNECTIONS',
    from.integer(20_000, 1, 1_000_000),
    'Connections that one gateway process holds at a time.',
    '20000',
  ),
  connectionsPerAddress: setting(
    'PARLEY_CONNECTIONS_PER_ADDRESS',
    from.integer(5000, 1, 1_000_000),
    'WebSockets and event streams that one address may have open at a time.',
    '5000',
  ),
  chatStreams: setting(
    'PARLEY_CHAT_STREAMS',
    from.integer(4, 1, 64),
    'Streams to chat that the rooms of one gateway process share.',
    '4',
  ),
};
