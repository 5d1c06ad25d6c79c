import type { ChatLog } from '@parley/chat';
import type { Database, Logger } from '@parley/kit';

interface ChatLogParts {
  redisUrl: string | undefined;
  database: Database;
  log: Logger;
}

/** The chat log: Redis where REDIS_URL is set, the database else. Only the one that is used is loaded. */
export async function openChatLog({ redisUrl, database, log }: ChatLogParts): Promise<ChatLog> {
  if (redisUrl === undefined) {
    const { DatabaseLog } = await import('@parley/chat/log/database/index');
    return new DatabaseLog(database);
  }
  const { RedisLog } = await import('@parley/chat/log/redis/index');
  return RedisLog.open({ url: redisUrl, log });
}
