import { setTimeout as sleep } from 'node:timers/promises';
import { silentLog } from '@parley/kit';
import { expect, test } from 'vitest';
import { startRedis } from '../../testing/redis.ts';
import type { Announcement } from '../log.ts';
import { draft, record } from '../suite.ts';
import { durabilityWarning, parseRedisUrl, RedisLog } from './index.ts';

test('Redis killed and started again loses nothing that was acknowledged, and repeats nothing', {
  timeout: 60_000,
}, async () => {
  await using server = await startRedis({ appendfsync: 'always' });
  await using log = await RedisLog.open({ url: server.url, log: silentLog });
  await log.putRoom(record('r', { maxMessages: 1_000_000 }), 0);
  const heard: Announcement[] = [];
  await using _following = await log.follow('r', (announcement) => heard.push(announcement));
  const acknowledged: string[] = [];
  const refused: { code?: string; details?: { retryAfterMs?: number } }[] = [];
  let running = true;
  const senders = Array.from({ length: 5 }, async () => {
    while (running) {
      const message = draft('r', 'x');
      try {
        const appended = await log.append('r', 1, [message]);
        if (appended.kind === 'done') acknowledged.push(message.id);
      } catch (error) {
        refused.push(error as never);
        await sleep(5);
      }
    }
  });
  const more = async (list: unknown[], count: number) => {
    const target = list.length + count;
    while (list.length < target) await sleep(5);
  };
  for (let round = 0; round < 3; round++) {
    await more(acknowledged, 50);
    const uncertain = heard.filter(({ kind }) => kind === 'uncertain').length;
    await server.kill();
    await more(refused, 10);
    await expect(log.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
    await server.restart();
    while (heard.filter(({ kind }) => kind === 'uncertain').length === uncertain) await sleep(5);
  }
  await more(acknowledged, 50);
  running = false;
  await Promise.all(senders);
  const { entries, head } = await log.tail('r', 1_000_000);
  const ids = entries.map(({ id }) => id);
  expect(new Set(ids).size).toBe(ids.length);
  expect(entries.map(({ sequence }) => sequence)).toEqual(
    entries.map((_, at) => head.sequence - entries.length + 1 + at),
  );
  const kept = new Set(ids);
  expect(acknowledged.filter((id) => !kept.has(id))).toEqual([]);
  for (const error of refused) {
    expect(error.code).toBe('UNAVAILABLE');
    expect(error.details?.retryAfterMs).toBeGreaterThan(0);
  }
});

test('a URL says which Redis there is', () => {
  expect(parseRedisUrl('redis://u:p%40@h:1/2')).toEqual({
    kind: 'single',
    nodes: [{ host: 'h', port: 1 }],
    options: { username: 'u', password: 'p@', db: 2 },
  });
  expect(parseRedisUrl('rediss://h')).toMatchObject({ nodes: [{ host: 'h', port: 6379 }], options: { tls: {} } });
  expect(parseRedisUrl('redis+sentinel://:p@a:1,b/main')).toEqual({
    kind: 'sentinel',
    nodes: [
      { host: 'a', port: 1 },
      { host: 'b', port: 26379 },
    ],
    options: { password: 'p', name: 'main' },
  });
  expect(parseRedisUrl('redis+cluster://a:1,b:2')).toMatchObject({
    kind: 'cluster',
    nodes: [{ port: 1 }, { port: 2 }],
  });
  for (const bad of [
    '',
    'http://h',
    'redis://',
    'redis://a:1,b:2',
    'redis+sentinel://a:1',
    'redis+cluster://a/1',
    'redis://h/x',
  ])
    expect(() => parseRedisUrl(bad), bad).toThrow();
});

test('what a Redis may lose is said in words', () => {
  expect(durabilityWarning({ appendonly: 'yes', appendfsync: 'always' })).toBeUndefined();
  expect(durabilityWarning({ appendonly: 'no', appendfsync: 'always' })).toMatch(/no append-only file/);
  expect(durabilityWarning({ appendonly: 'yes', appendfsync: 'everysec' })).toMatch(
    /acknowledges before it has written/,
  );
  expect(durabilityWarning({ appendonly: 'yes', appendfsync: 'no' })).toMatch(/operating system/);
  expect(durabilityWarning(undefined)).toMatch(/CONFIG/);
});
