/** How the chat log reaches Redis: one, behind Sentinels, or a cluster, by URL. */
import { AppError, unavailable } from '@parley/kit';
import { Cluster, Redis, type RedisOptions } from 'ioredis';

export type Connection = Redis | Cluster;

/** No command is kept for later or sent again: the caller is told, and knows best. */
const baseOptions: RedisOptions = {
  protocol: 2,
  lazyConnect: true,
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 2_000,
  // Long enough for a pod that is starved of its processor while others start; the caller's deadline is 10 s.
  commandTimeout: 2_500,
  // A connection that was cut without a word.
  socketTimeout: 3_500,
  retryStrategy: (times) => Math.min(50 * times, 500),
  // A master that was demoted says so to every write.
  reconnectOnError: (error) => error.message.startsWith('READONLY'),
  maxLoadingRetryTime: 500,
};

export interface RedisAddress {
  kind: 'single' | 'sentinel' | 'cluster';
  nodes: { host: string; port: number }[];
  options: RedisOptions;
}

/**
 * Reads `redis://user:password@host:port/db`, `rediss://…`, `redis+sentinel://host:port,host:port/master-name` and
 * `redis+cluster://host:port,host:port`; `?tls=true` with the last two.
 * @throws Error that says what is allowed.
 */
export function parseRedisUrl(url: string): RedisAddress {
  const match =
    /^(redis|rediss|redis\+sentinel|redis\+cluster):\/\/(?:([^:@/]*)(?::([^@/]*))?@)?([^/?]+)(?:\/([^?]*))?(?:\?(.*))?$/.exec(
      url,
    );
  if (!match) {
    throw new Error(
      'it must be redis://host:port, rediss://host:port, redis+sentinel://host:port,host:port/name or redis+cluster://host:port,host:port',
    );
  }
  const [, scheme, username, password, hosts = '', path = '', query = ''] = match;
  const kind = scheme === 'redis+sentinel' ? 'sentinel' : scheme === 'redis+cluster' ? 'cluster' : 'single';
  const nodes = hosts.split(',').map((each) => {
    const [, ipv6, name, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(each) ?? [];
    const host = ipv6 ?? name;
    if (!host) throw new Error(`${each} is no host:port`);
    return { host, port: Number(port ?? (kind === 'sentinel' ? 26379 : 6379)) };
  });
  if (kind === 'single' && nodes.length > 1)
    throw new Error(`${scheme}:// takes one host:port; for several use redis+cluster://`);
  const options: RedisOptions = {};
  if (username) options.username = decodeURIComponent(username);
  if (password) options.password = decodeURIComponent(password);
  if (scheme === 'rediss' || new URLSearchParams(query).get('tls') === 'true') options.tls = {};
  if (kind === 'sentinel') {
    if (!path)
      throw new Error('redis+sentinel:// ends with the name of the master: redis+sentinel://host:26379/mymaster');
    options.name = path;
  } else if (path) {
    if (kind === 'cluster' || !/^\d+$/.test(path)) throw new Error(`/${path} is no number of a database`);
    options.db = Number(path);
  }
  return { kind, nodes, options };
}

/** A connection that is not connected yet. It reconnects by itself, for ever. */
export function createConnection({ kind, nodes, options }: RedisAddress): Connection {
  const redisOptions = { ...baseOptions, ...options };
  if (kind === 'cluster') {
    return new Cluster(nodes, {
      redisOptions,
      lazyConnect: true,
      enableOfflineQueue: false,
      clusterRetryStrategy: (times) => Math.min(50 * times, 500),
      retryDelayOnFailover: 200,
      retryDelayOnClusterDown: 200,
      maxRedirections: 4,
      slotsRefreshTimeout: 1_000,
      slotsRefreshInterval: 5_000,
    });
  }
  return new Redis(target({ kind, nodes, options }, redisOptions));
}

/** A connection to hear channels on; in a cluster to one node. */
export function createSubscriber(address: RedisAddress, node?: { host: string; port: number }): Redis {
  const options = { ...baseOptions, ...address.options };
  if (node === undefined) return new Redis(target(address, options));
  // The cluster says where a channel is now; a node that is gone is not waited for.
  return new Redis({ ...options, ...node, enableReadyCheck: false });
}

const corked = new WeakSet<Connection>();

/** What is asked in one turn of the event loop leaves in one write to each node: a write is dearer than what is in it. */
export function askTogether(connection: Connection): void {
  if (corked.has(connection)) return;
  corked.add(connection);
  const nodes = connection instanceof Cluster ? connection.nodes('master') : [connection];
  const streams = nodes.map(({ stream }) => stream).filter((stream) => stream !== undefined);
  for (const stream of streams) stream.cork();
  process.nextTick(() => {
    corked.delete(connection);
    for (const stream of streams) stream.uncork();
  });
}

function target({ kind, nodes }: RedisAddress, options: RedisOptions): RedisOptions {
  if (kind === 'single') return { ...options, ...nodes[0] };
  const password = options.password === undefined ? {} : { sentinelPassword: options.password };
  return {
    ...options,
    ...password,
    sentinels: nodes,
    sentinelRetryStrategy: (times) => Math.min(50 * times, 500),
    // A Sentinel that hangs is left for the next one.
    sentinelCommandTimeout: 1_000,
    // Not ioredis's failoverDetector: told of a new master while it connects, it ends the connection for good. A demoted
    // master ends its connections, and answers READONLY; one that hangs is left by socketTimeout.
  };
}

/** Replies of a Redis that is not, or not yet, what it should be: another try may meet a better one. */
const passing = /^(LOADING|MASTERDOWN|READONLY|CLUSTERDOWN|TRYAGAIN|MOVED|ASK|BUSY|NOREPLICAS|OOM|MISCONF|UNBLOCKED)\b/;

/** What a caller is told of a failed command. */
export function translate(error: unknown): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  if (error.name === 'ReplyError' && !passing.test(error.message)) return error;
  return unavailable('the chat log cannot be reached: try again', 1000, error);
}
