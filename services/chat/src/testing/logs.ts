/** The stores that a chat log can live in, for suites that hold for all of them. */
import { Database, migrate, silentLog } from '@parley/kit';
import { DatabaseLog } from '../log/database/database-log.ts';
import { chatSchema } from '../log/database/schema.ts';
import type { ChatLog } from '../log/log.ts';
import { RedisLog } from '../log/redis/redis-log.ts';
import { startRedis } from './redis.ts';

/** A store, and a log on it for each pod. */
export interface Store extends AsyncDisposable {
  log(): Promise<ChatLog>;
}

export async function pgliteStore(): Promise<Store> {
  const database = await Database.open({ log: silentLog });
  await migrate(database, chatSchema);
  const logs: ChatLog[] = [];
  return {
    async log() {
      const log = new DatabaseLog(database);
      logs.push(log);
      return log;
    },
    async [Symbol.asyncDispose]() {
      for (const log of logs) await log[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

export async function redisStore(): Promise<Store> {
  const redis = await startRedis();
  const logs: ChatLog[] = [];
  return {
    async log() {
      const log = await RedisLog.open({ url: redis.url, log: silentLog });
      logs.push(log);
      return log;
    },
    async [Symbol.asyncDispose]() {
      for (const log of logs) await log[Symbol.asyncDispose]();
      await redis[Symbol.asyncDispose]();
    },
  };
}

/** For `describe.each`. */
export const stores: { store: string; open: () => Promise<Store> }[] = [
  { store: 'PGlite', open: pgliteStore },
  { store: 'Redis', open: redisStore },
];
