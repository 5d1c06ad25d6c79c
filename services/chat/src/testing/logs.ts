/** The stores that a chat log can live in, for suites that hold for all of them. */
import { Database, migrate, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { DatabaseLog } from '../log/database/database-log.ts';
import { chatSchema } from '../log/database/schema.ts';
import type { ChatLog } from '../log/log.ts';
import { RedisLog } from '../log/redis/redis-log.ts';
import { startRedis } from './redis.ts';
import { startRedisCluster } from './redis-cluster.ts';

/** A store, and a log on it for each pod. */
export interface Store extends AsyncDisposable {
  log(): Promise<ChatLog>;
}

/** Each pod has connections of its own, as pods have; PGlite has one session for all. */
async function databaseStore(url: string | undefined, stack: AsyncDisposableStack): Promise<Store> {
  const open = async () => stack.use(await Database.open({ url, log: silentLog }));
  const first = await open();
  await migrate(first, chatSchema);
  return {
    log: async () => stack.use(new DatabaseLog(url === undefined ? first : await open())),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

async function redisStore({ url }: { url: string }, stack: AsyncDisposableStack): Promise<Store> {
  return {
    log: async () => stack.use(await RedisLog.open({ url, log: silentLog })),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** Opens a store with what it runs on, which goes with it. */
const on = (open: (stack: AsyncDisposableStack) => Promise<Store>) => () => open(new AsyncDisposableStack());

/** For tests that the store does not matter to. */
export const pgliteStore = on((stack) => databaseStore(undefined, stack));

const postgres = on(async (stack) => databaseStore(stack.use(await startPostgres()).url, stack));
const redis = on(async (stack) => redisStore(stack.use(await startRedis()), stack));
const cluster = on(async (stack) => redisStore(stack.use(await startRedisCluster(3)), stack));

interface NamedStore {
  store: string;
  open: () => Promise<Store>;
}

/** The two in which the most can go wrong: every pod has connections of its own, and rooms are on several nodes. */
export const widestStores: NamedStore[] = [
  { store: 'PostgreSQL', open: postgres },
  { store: 'Redis Cluster', open: cluster },
];

/** For `describe.each`. */
export const stores: NamedStore[] = [
  { store: 'PGlite', open: pgliteStore },
  { store: 'Redis', open: redis },
  ...widestStores,
];
