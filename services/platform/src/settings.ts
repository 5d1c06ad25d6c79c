/** The settings of the platform itself; each service declares its own beside its code. */
import { from, logLevels, setting } from '@parley/kit';

/** Settings that every process reads. */
export const processSettings = {
  metricsPort: setting('PARLEY_METRICS_PORT', from.port(9090), 'Port of /metrics, /livez and /readyz', '9090'),
  logLevel: setting(
    'LOG_LEVEL',
    from.oneOf('info', ...logLevels),
    `How much is logged: ${logLevels.join(', ')}`,
    'info',
  ),
  otlpEndpoint: setting(
    'OTEL_EXPORTER_OTLP_ENDPOINT',
    from.url('http', 'https'),
    'Where traces go; the other OTEL_ variables of OpenTelemetry count too',
    'off',
  ),
};

/** Settings of `parley serve`. */
export const serveSettings = {
  ...processSettings,
  httpPort: setting('PARLEY_HTTP_PORT', from.port(8080), 'Port of REST, WebSocket, SSE and the page', '8080'),
  grpcPort: setting('PARLEY_GRPC_PORT', from.port(50051), 'Port of gRPC', '50051'),
  dataDirectory: setting('PARLEY_DATA_DIR', from.text('.data'), 'Folder of the embedded data', '.data'),
  databaseUrl: setting(
    'DATABASE_URL',
    from.url('postgres', 'postgresql'),
    'PostgreSQL; absent in `serve all`: PGlite in the data folder',
  ),
  databasePool: setting('PARLEY_DATABASE_POOL', from.integer(10, 1, 1000), 'Connections to PostgreSQL at most', '10'),
  redisUrl: setting(
    'REDIS_URL',
    from.url('redis', 'rediss', 'redis+sentinel', 'redis+cluster'),
    'redis://host:port, redis+sentinel://host:port,…/master or redis+cluster://host:port,…; rediss:// or ?tls=true for TLS; ' +
      'absent: the chat log lives in the database',
  ),
  auth: setting(
    'PARLEY_AUTH',
    from.optionalOneOf('open', 'required'),
    'May callers come without a token: open or required',
    'open in `serve all`, required elsewhere',
  ),
  rooms: setting(
    'PARLEY_ROOMS',
    from.optionalOneOf('open', 'declared'),
    'May joining create a room: open or declared',
    'open in `serve all`, declared elsewhere',
  ),
  keys: setting(
    'PARLEY_JWT_KEYS',
    from.optional(),
    'Folder of signing keys, <kid>.pem; the last name signs',
    'made in the data folder by `serve all`',
  ),
  userAddress: setting('PARLEY_USER_ADDRESS', from.optional(), 'Where the user service is', 'loopback in `serve all`'),
  chatAddress: setting('PARLEY_CHAT_ADDRESS', from.optional(), 'Where the chat service is', 'loopback in `serve all`'),
  orderAddress: setting(
    'PARLEY_ORDER_ADDRESS',
    from.optional(),
    'Where the order service is',
    'loopback in `serve all`',
  ),
  paymentAddress: setting(
    'PARLEY_PAYMENT_ADDRESS',
    from.optional(),
    'Where the payment service is',
    'loopback in `serve all`',
  ),
  drainSeconds: setting(
    'PARLEY_DRAIN_SECONDS',
    from.integer(10, 0, 600),
    'How long a stop waits for calls that are under way',
    '10',
  ),
  podId: setting(
    'PARLEY_POD_NAME',
    from.optional(),
    "This process's name among its peers",
    "the host's name and a number",
  ),
};
