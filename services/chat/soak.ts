/** The full-size run under faults: `node services/chat/soak.ts`. Ends with 1 where anything is wrong. */
import { Fleet } from './src/testing/fleet.ts';
import { startRedis } from './src/testing/redis.ts';
import { runStorm } from './src/testing/storm.ts';

await using redis = await startRedis({ appendfsync: 'always' });
await using fleet = await Fleet.start(redis.url, 3);
const startedAt = performance.now();
const report = await runStorm(fleet, {
  rooms: 50,
  subscribers: 500,
  messages: 20_000,
  senders: 64,
  kills: 8,
  terminations: 3,
  storeFaults: Array.from({ length: 4 }, () => () => redis.crash()),
  slowEvery: 20,
});
const seconds = Math.round((performance.now() - startedAt) / 1000);
process.stdout.write(`${JSON.stringify({ seconds, ...report }, null, 2)}\n`);
process.exitCode = report.violations.length === 0 && report.acknowledged === report.sends ? 0 : 1;
