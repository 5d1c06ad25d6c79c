import { silentLog } from '@parley/kit';
import { Cluster, Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { startRedis } from '../../testing/redis.ts';
import { startRedisCluster } from '../../testing/redis-cluster.ts';
import { describeChatLog, type Store } from '../suite.ts';
import { RedisLog } from './index.ts';

async function store(url: string, client: Redis | Cluster, close: () => PromiseLike<void>): Promise<Store> {
  const keyOf = (roomId: string) => `chat:{${roomId}}`;
  return {
    pod: () => RedisLog.open({ url, log: silentLog }),
    async empty() {
      const nodes = client instanceof Cluster ? client.nodes('master') : [client];
      await Promise.all(nodes.map((node) => node.flushall()));
    },
    async loseTail(roomId, head) {
      const ids = await client.xrange(`${keyOf(roomId)}:texts`, `(${head}-0`, '+');
      await client.xdel(`${keyOf(roomId)}:texts`, ...ids.map(([id]) => id));
      await client.xsetid(`${keyOf(roomId)}:texts`, `${head}-0`);
      await client.hset(keyOf(roomId), { head, texts: head, lastText: head });
    },
    async endLeases() {
      for (const pod of await client.zrange('parley:{pods}:leases', '0', '-1'))
        await client.zadd('parley:{pods}:leases', '1', pod);
    },
    async contents(roomId) {
      return (await client.dumpBuffer(`${keyOf(roomId)}:texts`)) ?? Buffer.alloc(0);
    },
    async [Symbol.asyncDispose]() {
      client.disconnect();
      await close();
    },
  };
}

describeChatLog('the chat log in Redis', async () => {
  const server = await startRedis();
  return store(server.url, new Redis(server.url), () => server[Symbol.asyncDispose]());
});

describeChatLog('the chat log in a Redis cluster', async () => {
  const cluster = await startRedisCluster(3);
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  return store(cluster.url, new Cluster(nodes), () => cluster[Symbol.asyncDispose]());
});

test('a wrong password, or nobody at the address, is told with the setting to look at', async () => {
  await using server = await startRedis();
  const client = new Redis(server.url);
  await client.config('SET', 'requirepass', 'right');
  client.disconnect();
  for (const [url, problem] of [
    [server.url.replace('redis://', 'redis://:wrong@'), /^REDIS_URL: .*WRONGPASS/],
    ['redis://127.0.0.1:1', /^REDIS_URL: .*ECONNREFUSED/],
  ] as const) {
    await using log = await RedisLog.open({ url, log: silentLog });
    await expect(log.check()).rejects.toThrow(problem);
  }
});
