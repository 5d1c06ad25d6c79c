import { expect, test } from 'vitest';
import { Fleet } from './testing/fleet.ts';
import { startRedis } from './testing/redis.ts';
import { runStorm } from './testing/storm.ts';

test('nothing acknowledged is lost or repeated, in one order for all, while processes and Redis are killed', async () => {
  await using redis = await startRedis({ appendfsync: 'always' });
  await using fleet = await Fleet.start(redis.url, 3);
  const report = await runStorm(fleet, {
    rooms: 6,
    subscribers: 36,
    messages: 1200,
    senders: 24,
    betweenSendsMs: 20,
    kills: 2,
    terminations: 1,
    storeFaults: [() => redis.crash()],
    slowEvery: 6,
  });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBe(report.sends);
  expect(report.sends).toBeGreaterThanOrEqual(1200);
  expect(report.deliveries).toBeGreaterThanOrEqual(report.sends * 6);
}, 300_000);

test('twenty chat processes are killed while twenty rooms are spoken in: nothing is lost, and nobody waits for long', async () => {
  await using redis = await startRedis({ appendfsync: 'always' });
  await using fleet = await Fleet.start(redis.url, 3);
  const report = await runStorm(fleet, {
    rooms: 20,
    subscribers: 100,
    messages: 2000,
    senders: 20,
    kills: 20,
    terminations: 0,
    storeFaults: [],
    slowEvery: 1000,
    // Every room is spoken in ten times a second, for as long as the kills take.
    betweenSendsMs: 100,
  });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBe(report.sends);
  expect(report.sends).toBeGreaterThanOrEqual(2000);
  expect(report.resumes).toBeGreaterThanOrEqual(20);
  expect(report.longestGapMs).toBeLessThanOrEqual(3000);
}, 300_000);
