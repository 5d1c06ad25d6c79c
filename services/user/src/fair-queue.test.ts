import { expect, test } from 'vitest';
import { FairQueue } from './fair-queue.ts';

const never = new AbortController().signal;

test('a flood from one address waits behind itself: another one is next but one', async () => {
  const queue = new FairQueue({ atOnce: 1, longestPerKey: 100, longest: 1000 });
  const order: string[] = [];
  const run = (key: string) => queue.run(key, never, async () => void order.push(key));
  await Promise.all([...Array.from({ length: 50 }, () => run('flood')), run('alice'), run('bob')]);
  expect(order.slice(0, 4).sort()).toEqual(['alice', 'bob', 'flood', 'flood']);
  expect(order).toHaveLength(52);
});

test('no more run at once than allowed, and every one runs', async () => {
  const queue = new FairQueue({ atOnce: 3, longestPerKey: 100, longest: 1000 });
  let [running, most] = [0, 0];
  const task = async () => {
    most = Math.max(most, ++running);
    await new Promise((resolve) => setImmediate(resolve));
    running--;
    return 1;
  };
  const done = await Promise.all(Array.from({ length: 90 }, (_, i) => queue.run(`key ${i % 7}`, never, task)));
  expect(done).toHaveLength(90);
  expect(most).toBe(3);
});

test('too many of one key are refused with when to try again, others are not; what fails frees its place', async () => {
  const queue = new FairQueue({ atOnce: 1, longestPerKey: 2, longest: 4 });
  const fails = async () => {
    throw new Error('failed');
  };
  const answers = await Promise.allSettled([
    ...Array.from({ length: 4 }, () => queue.run('flood', never, fails)),
    queue.run('alice', never, async () => 'well'),
  ]);
  expect(answers[3]).toMatchObject({ reason: { code: 'RESOURCE_EXHAUSTED', details: { retryAfterMs: 1000 } } });
  expect(answers[2]).toMatchObject({ reason: { message: 'failed' } });
  expect(answers[4]).toMatchObject({ value: 'well' });
  expect(await queue.run('flood', never, async () => 'well')).toBe('well');
});

test('whoever has gone is skipped', async () => {
  const queue = new FairQueue({ atOnce: 1, longestPerKey: 9, longest: 9 });
  const gone = new AbortController();
  let ran = false;
  const first = queue.run('a', never, () => new Promise((resolve) => setImmediate(resolve)));
  const second = queue.run('a', gone.signal, async () => {
    ran = true;
  });
  gone.abort(new Error('the caller has gone'));
  await first;
  await expect(second).rejects.toThrow('the caller has gone');
  expect(ran).toBe(false);
});
