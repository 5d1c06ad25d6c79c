import { silentLog } from '@parley/kit';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { RedisLog } from './log/redis/index.ts';
import { Reader } from './testing/reader.ts';
import { startRedis } from './testing/redis.ts';
import { Rig } from './testing/rig.ts';

const patience = { timeout: 30_000 };
const guest = (name: string) => ({ room_id: 'r', user_id: name, username: name });
const told = { resumed: false, history_lost: 'HISTORY_LOST_EPOCH_CHANGED' };

test('a tail that was lost is told to who resumes, also where a JOIN is the first that is written after it', async () => {
  await using redis = await startRedis();
  await using rig = await Rig.start();
  const pod = await rig.pod(await RedisLog.open({ url: redis.url, log: silentLog }), 'one');
  const subscribe = (name: string, after = '') => Reader.ofSubscribe(pod.chat.subscribe({ ...guest(name), after }));
  const say = (content: string) => pod.chat.sendMessage({ ...guest('ann'), content });
  using ann = subscribe('ann');
  await expect.poll(() => ann.opened).toBeTruthy();
  using cem = Reader.ofJoin(pod.chat.joinRoom(guest('cem')));
  await expect.poll(() => cem.notices).toContain('JOIN cem');
  await say('kept');
  const client = new Redis(redis.url);
  await client.save();
  client.disconnect();
  await say('lost');
  await expect.poll(() => ann.texts).toEqual(['kept', 'lost']);
  const { cursor } = ann;

  // Back with what was saved, as a replica that lagged has it.
  await redis.crash();
  await expect.poll(() => ann.frames.filter(({ opened }) => opened).at(-1)?.opened, patience).toMatchObject(told);
  using ben = subscribe('ben');
  await expect.poll(() => ben.notices).toContain('JOIN ben');
  await say('after');
  // JoinRoom has no word for it: its stream ends, with the place that it was at in the log that was lost.
  const ended = await cem.ended;
  expect(ended).toMatchObject({ code: 'UNAVAILABLE', details: { reason: 'HISTORY_LOST' } });
  for (const place of [cursor, ended?.details.trailers?.['parley-cursor']]) {
    using again = subscribe('ann', place);
    await expect.poll(() => again.opened).toMatchObject(told);
    await expect.poll(() => again.texts).toEqual(['kept', 'after']);
  }
}, 60_000);
