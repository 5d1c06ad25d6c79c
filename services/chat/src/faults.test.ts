import { expect, test } from 'vitest';
import { Fleet } from './testing/fleet.ts';
import { startRedis } from './testing/redis.ts';
import { runStorm } from './testing/storm.ts';

test('nothing acknowledged is lost or repeated, in one order for all, while processes and Redis are killed', async () => {
  await using redis = await startRedis({ appendfsync: 'always' });
  await using fleet = await Fleet.start(redis.url, 3);
  const report = await runStorm(fleet, redis, {
    rooms: 6,
    subscribers: 36,
    messages: 1200,
    senders: 24,
    kills: 2,
    terminations: 1,
    redisKills: 1,
    slowEvery: 6,
  });
  expect(report.violations).toEqual([]);
  expect(report).toMatchObject({ sends: 1200, acknowledged: 1200 });
  expect(report.deliveries).toBeGreaterThanOrEqual(1200 * 6);
}, 300_000);
