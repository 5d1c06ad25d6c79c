/** The stores that a chat log can live in, for suites that hold for all of them. */
import { Database, migrate, silentLog } from '@parley/kit';
import { DatabaseLog } from '../log/database/database-log.ts';
import { chatSchema } from '../log/database/schema.ts';
import type { ChatLog } from '../log/log.ts';

/** A store, and a log on it for each pod. */
export interface Store extends AsyncDisposable {
  log(): ChatLog;
}

export async function pgliteStore(): Promise<Store> {
  const database = await Database.open({ log: silentLog });
  await migrate(database, chatSchema);
  const logs: ChatLog[] = [];
  return {
    log() {
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
