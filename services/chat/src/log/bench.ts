/** How many messages a second a log takes, and what each costs the pod: `node bench.ts redis|cluster|pglite|postgres [seconds]`. */
import { Database, migrate, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { defaultSpec } from '../rooms/record.ts';
import { startRedis } from '../testing/redis.ts';
import { startRedisCluster } from '../testing/redis-cluster.ts';
import { encodeBody } from './codec.ts';
import { chatSchema, DatabaseLog } from './database/index.ts';
import type { ChatLog } from './log.ts';
import { RedisLog } from './redis/index.ts';

const senders = 100;
const rooms = 10;

async function open(kind: string, stack: AsyncDisposableStack): Promise<ChatLog> {
  if (kind === 'pglite' || kind === 'postgres') {
    const url = kind === 'postgres' ? stack.use(await startPostgres({ durable: true })).url : undefined;
    const database = stack.use(await Database.open({ url, log: silentLog }));
    await migrate(database, chatSchema);
    return stack.use(new DatabaseLog(database));
  }
  const server = stack.use(kind === 'cluster' ? await startRedisCluster(3) : await startRedis());
  return stack.use(await RedisLog.open({ url: server.url, log: silentLog }));
}

const [kind = 'redis', seconds = '3'] = process.argv.slice(2);
await using stack = new AsyncDisposableStack();
const log = await open(kind, stack);
for (let room = 0; room < rooms; room++) {
  const roomId = `room-${room}`;
  const spec = { ...defaultSpec, displayName: roomId };
  await log.putRoom({ roomId, version: 0, createdAtMs: 0, spec, fence: 0, mutedUntilMs: {}, removed: {} }, 0);
}

let sent = 0;
const cpu = process.cpuUsage();
const startedAt = performance.now();
// A deadline, not a timer: PGlite answers within a turn of the event loop, which then does not come to its timers.
const endsAt = startedAt + Number(seconds) * 1000;
const send = async (sender: number) => {
  const roomId = `room-${sender % rooms}`;
  const senderId = String(sender);
  while (performance.now() < endsAt) {
    const id = `m${sent++}`;
    const content = 'A message of ordinary length, as people write them all day long.';
    const body = encodeBody({ id, roomId, userId: senderId, username: 'Somebody', content, type: 'TEXT' });
    await log.append(roomId, 1, [{ id, type: 'TEXT', senderId, body, idempotency: { key: id, contentHash: 'hash' } }]);
  }
};
await Promise.all(Array.from({ length: senders }, (_, sender) => send(sender)));
const elapsedMs = performance.now() - startedAt;
const { user, system } = process.cpuUsage(cpu);
console.log(
  `${kind}: ${Math.round((sent * 1000) / elapsedMs).toLocaleString('en')} appends/s, ` +
    `${((user + system) / sent).toFixed(1)} µs of this process each`,
);
