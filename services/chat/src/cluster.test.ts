import { expect, test } from 'vitest';
import { Fleet } from './testing/fleet.ts';
import { startRedisCluster } from './testing/redis-cluster.ts';
import { runStorm } from './testing/storm.ts';

const busy = 'chat:{storm-0}';
const storm = {
  rooms: 6,
  subscribers: 36,
  messages: 1200,
  senders: 24,
  betweenSendsMs: 100,
  slowEvery: 6,
  kills: 0,
  terminations: 0,
};

test.concurrent('while the slot of a busy room moves from master to master, nothing is lost or repeated, in one order', async () => {
  await using cluster = await startRedisCluster(3, { appendfsync: 'always' });
  await using fleet = await Fleet.start(cluster.url, 2);
  const move = () => cluster.moveSlotOf(busy, 300);
  const report = await runStorm(fleet, { ...storm, storeFaults: [move, move, move, move] });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBe(report.sends);
  expect(report.sends).toBeGreaterThanOrEqual(1200);
  expect(report.retries).toBeGreaterThan(0);
}, 300_000);

test.concurrent('a replica takes over from its master, asked or since it was killed: nothing is lost unless every reader is told', async () => {
  await using cluster = await startRedisCluster(3, { appendfsync: 'always', replicas: 1 });
  await using fleet = await Fleet.start(cluster.url, 2);
  const faults = [() => cluster.failOver(busy), () => cluster.killMasterOf(busy)];
  const report = await runStorm(fleet, { ...storm, storeFaults: faults, mayLose: true });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBe(report.sends);
  expect(report.sends).toBeGreaterThanOrEqual(1200);
  expect(report.retries).toBeGreaterThan(0);
}, 300_000);
