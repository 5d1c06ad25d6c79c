import type { AppError } from '@parley/kit';
import { expect, test } from 'vitest';
import { type ChatProcess, Fleet } from './testing/fleet.ts';
import { Reader } from './testing/reader.ts';
import { startSentinels } from './testing/redis-sentinel.ts';
import { runStorm } from './testing/storm.ts';

const patience = { timeout: 60_000 };
const guest = (name: string) => ({ room_id: 'watched', user_id: name, username: name });
const tell = ({ chat }: ChatProcess, content: string) => chat.sendMessage({ ...guest('ann'), content });

test.concurrent('a master that is killed under load is replaced by its replica: nothing is lost unless every reader is told', async () => {
  await using sentinels = await startSentinels({ appendfsync: 'always' });
  await using fleet = await Fleet.start(sentinels.url, 2);
  const fail = async () => {
    await sentinels.master.kill();
    await sentinels.promoted();
  };
  const report = await runStorm(fleet, {
    rooms: 6,
    subscribers: 36,
    messages: 1200,
    senders: 24,
    betweenSendsMs: 100,
    kills: 0,
    terminations: 0,
    storeFaults: [fail],
    mayLose: true,
    slowEvery: 6,
  });
  expect(report.violations).toEqual([]);
  expect(report.acknowledged).toBe(report.sends);
  expect(report.sends).toBeGreaterThanOrEqual(1200);
}, 300_000);

test.concurrent('a replica that lagged is promoted: sends are refused until then, and then readers are told what is lost', async () => {
  await using sentinels = await startSentinels();
  await using fleet = await Fleet.start(sentinels.url, 2);
  const [one, two] = fleet.all as [ChatProcess, ChatProcess];
  const subscribe = ({ chat }: ChatProcess, after = '') =>
    Reader.ofSubscribe(chat.subscribe({ ...guest('bob'), after }));
  using reader = subscribe(one);
  await expect.poll(() => reader.opened, patience).toBeTruthy();
  await tell(one, 'kept');
  await sentinels.cutReplica();
  for (let i = 0; i < 10; i++) await tell(two, `lost ${i}`);
  await expect.poll(() => reader.texts.length, patience).toBe(11);
  const { cursor } = reader;

  await sentinels.master.kill();
  const refusal = () =>
    tell(one, 'refused').then(
      () => undefined,
      (error: AppError) => error,
    );
  await expect.poll(refusal, patience).toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 1000 } });
  await sentinels.promoted();
  for (const pod of [one, two]) {
    const said = () =>
      tell(pod, `after, on ${pod.pid}`).then(
        () => true,
        () => false,
      );
    await expect.poll(said, patience).toBe(true);
  }

  const wasTold = ({ frames }: Reader) =>
    frames.some(({ opened }) => opened?.history_lost === 'HISTORY_LOST_EPOCH_CHANGED');
  for (const pod of [one, two]) {
    using resumed = subscribe(pod, cursor);
    await expect.poll(() => resumed.texts, patience).toContain(`after, on ${two.pid}`);
    // At once, or as soon as the pod, which still held what is lost when he came, has heard of it.
    await expect.poll(() => wasTold(resumed), patience).toBe(true);
    expect(resumed.texts.filter((text) => text.startsWith('lost'))).toEqual([]);
  }
  // Who was reading all the time is told as well.
  await expect.poll(() => wasTold(reader), patience).toBe(true);
}, 180_000);
