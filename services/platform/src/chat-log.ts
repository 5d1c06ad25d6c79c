import type { ChatLog } from '@parley/chat';
import type { Database, Logger } from '@parley/kit';

interface ChatLogParts {
  redisUrl: string | undefined;
  database: Database;
  podId: string;
  log: Logger;
}

/** The chat log: Redis where REDIS_URL is set, the database else. Only the one that is used is loaded. */
export async function openChatLog({ redisUrl, database, podId, log }: ChatLogParts): Promise<ChatLog> {
  if (redisUrl === undefined) {
    const { DatabaseLog } = await import('@parley/chat/log/database/database-log');
    return DatabaseLog.open({ database, podId, log });
  }
  const { RedisLog } = await import('@parley/chat/log/redis/redis-log');
  return RedisLog.open({ url: redisUrl, podId, log });
}
