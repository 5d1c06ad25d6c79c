/** A real master with a replica, and three Sentinels that promote it, for tests. */
import { Redis } from 'ioredis';
import { type RedisServer, type RedisSettings, startRedis, startSentinel, until } from './redis.ts';

const name = 'parley';
const quorum = 2;

export interface Sentinels extends AsyncDisposable {
  /** `redis+sentinel://…` */
  readonly url: string;
  /** The first master and its replica. */
  readonly master: RedisServer;
  readonly replica: RedisServer;
  /** Cuts the replica off: what the master is told from now on it does not have. */
  cutReplica(): Promise<void>;
  /** Resolves when the Sentinels agree that the replica is the master. */
  promoted(): Promise<void>;
}

export async function startSentinels(settings: RedisSettings = {}): Promise<Sentinels> {
  await using stack = new AsyncDisposableStack();
  const master = stack.use(await startRedis(settings));
  const replicaof = { replicaof: `127.0.0.1 ${master.port}`, ...settings.settings };
  const replica = stack.use(await startRedis({ ...settings, settings: replicaof }));
  const client = (port: number) => stack.adopt(new Redis(port, '127.0.0.1'), (redis) => redis.disconnect());
  const masters = client(master.port);
  masters.on('error', () => {}); // It is to be killed.
  const following = client(replica.port);
  await until(async () => (await following.info('replication')).includes('master_link_status:up'));

  const sentinels = await Promise.all(
    Array.from({ length: 3 }, () =>
      startSentinel([
        `sentinel monitor ${name} 127.0.0.1 ${master.port} ${quorum}`,
        `sentinel down-after-milliseconds ${name} 1000`,
        `sentinel failover-timeout ${name} 5000`,
      ]),
    ),
  );
  for (const sentinel of sentinels) stack.use(sentinel);
  const watching = sentinels.map(({ port }) => client(port));
  // They learn of each other over the master, every two seconds.
  await until(async () => {
    const known = await Promise.all(watching.map((sentinel) => sentinel.call('sentinel', 'master', name)));
    return known.every((facts) => fact(facts, 'num-slaves') === '1' && fact(facts, 'num-other-sentinels') === '2');
  });
  const owned = stack.move();
  return {
    url: `redis+sentinel://${sentinels.map(({ port }) => `127.0.0.1:${port}`).join(',')}/${name}`,
    master,
    replica,
    async cutReplica() {
      await masters.call('acl', 'setuser', 'default', '-psync', '-sync');
      await masters.call('client', 'kill', 'type', 'replica');
      await until(async () => (await following.info('replication')).includes('master_link_status:down'));
    },
    async promoted() {
      await until(async () => {
        const masters = await Promise.all(
          watching.map((sentinel) => sentinel.call('sentinel', 'get-master-addr-by-name', name)),
        );
        const isMaster = (await following.info('replication')).includes('role:master');
        return isMaster && masters.every((address) => (address as string[])[1] === String(replica.port));
      });
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}

/** Sentinel answers names and values in turn. */
const fact = (facts: unknown, name: string) => (facts as string[])[(facts as string[]).indexOf(name) + 1];
