/**
 * Chat alone, for the benchmarks: `[PARLEY_AUTH=required] node services/chat/bench/serve.ts redis://127.0.0.1:6379 [port]`.
 * Everything is as in production but the user service, which knows nobody. It prints a token that may act for all users.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  createLog,
  Database,
  KeyRing,
  Metrics,
  makeKeys,
  migrate,
  type RpcClient,
  RpcServer,
  readSettings,
  signToken,
  TokenVerifier,
} from '@parley/kit';
import { DatabaseLog } from '../src/log/database/database-log.ts';
import { chatSchema } from '../src/log/database/schema.ts';
import { RedisLog } from '../src/log/redis/redis-log.ts';
import { createChatService } from '../src/service.ts';
import { chatSettings } from '../src/settings.ts';

const [, , url, port = '0'] = process.argv;
const logger = createLog('chat', 'info');
const keys = mkdtempSync(join(tmpdir(), 'parley-bench-'));
makeKeys(keys);
const ring = new KeyRing(keys);
const verifier = new TokenVerifier(ring);
const authMode = process.env.PARLEY_AUTH === 'required' ? 'required' : 'open';
const tokenSeconds = 12 * 3600;
rmSync(keys, { recursive: true });
const metrics = new Metrics({ processMetrics: true });

/** A user service that knows nobody. */
const users = {
  lookupUsers: async () => ({ users: [] }),
  watchRevocations: (_request: object, { signal }: { signal: AbortSignal }) => ({
    each: () => new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve())),
  }),
} as unknown as RpcClient<'auth.AuthService'>;

async function openLog() {
  if (url?.startsWith('redis')) return RedisLog.open({ url, log: logger });
  const database = await Database.open({ log: logger });
  await migrate(database, chatSchema);
  return new DatabaseLog(database);
}

const log = await openLog();
const service = await createChatService({
  log,
  users,
  verifier,
  podId: 'bench',
  settings: readSettings(chatSettings, process.env),
  logger,
  metrics,
  authMode,
  roomsMode: 'open',
});
const server = await RpcServer.listen({
  port: Number(port),
  services: service.rpc,
  authMode,
  verifier,
  log: logger,
  metrics,
});
const token = signToken(ring, { userId: '0', username: 'bench', role: 'service' }, tokenSeconds);
process.stderr.write(`token ${token}\nlistening 127.0.0.1:${server.port}\n`);
const stop = async () => {
  await service.drain?.();
  await server.drain(2000);
  await service[Symbol.asyncDispose]();
  await log[Symbol.asyncDispose]();
};
process.once('SIGTERM', () => void stop());
process.once('SIGINT', () => void stop());
