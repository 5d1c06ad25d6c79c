import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Batch } from './batch.ts';
import { AppError } from './errors.ts';

const limits = { largest: 10, parallel: 1, longestQueue: 1000 };

test('calls of one turn travel together, later ones gather while those are under way', async () => {
  const batches: number[][] = [];
  const release: (() => void)[] = [];
  const batch = new Batch<number, number>(
    async (inputs) => {
      batches.push(inputs);
      await new Promise<void>((resolve) => release.push(resolve));
      return inputs;
    },
    { ...limits },
  );
  const answers = [1, 2, 3].map((n) => batch.call(n));
  await expect.poll(() => batches, { timeout: 10_000 }).toEqual([[1, 2, 3]]);
  answers.push(...[4, 5].map((n) => batch.call(n)));
  release.shift()?.();
  await expect
    .poll(() => batches, { timeout: 10_000 })
    .toEqual([
      [1, 2, 3],
      [4, 5],
    ]);
  release.shift()?.();
  expect(await Promise.all(answers)).toEqual([1, 2, 3, 4, 5]);
});

test('every call has its own answer or its own error, whatever the sizes', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 99 }), { maxLength: 60 }),
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 3 }),
      async (inputs, largest, parallel) => {
        const sizes: number[] = [];
        const batch = new Batch<number, string>(
          async (some) => some.map((n) => (n % 7 === 0 ? new AppError('NOT_FOUND', `${n}`) : `answer ${n}`)),
          { largest, parallel, longestQueue: 1000, observe: (size) => sizes.push(size) },
        );
        const answers = await Promise.allSettled(inputs.map((n) => batch.call(n)));
        answers.forEach((answer, i) => {
          const n = inputs[i]!;
          if (n % 7 === 0) expect(answer).toMatchObject({ status: 'rejected', reason: { message: `${n}` } });
          else expect(answer).toEqual({ status: 'fulfilled', value: `answer ${n}` });
        });
        expect(sizes.reduce((sum, size) => sum + size, 0)).toBe(inputs.length);
        expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(largest);
      },
    ),
    { numRuns: 50 },
  );
});

test.each([
  ['fails', new Error('3 is poison')],
  ['is refused', new AppError('INVALID_ARGUMENT', '3 is poison')],
])('a statement that %s through one call fails that one only', async (_how, error) => {
  const batch = new Batch<number, number>(async (inputs) => {
    if (inputs.includes(3)) throw error;
    return inputs;
  }, limits);
  const answers = await Promise.allSettled([1, 2, 3, 4].map((n) => batch.call(n)));
  expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled']);
});

test('a database that is away fails all calls at once, and the next ones are tried again', async () => {
  let away = true;
  let tries = 0;
  const batch = new Batch<number, number>(async (inputs) => {
    tries++;
    if (away) throw new AppError('UNAVAILABLE', 'away');
    return inputs;
  }, limits);
  const answers = await Promise.allSettled([1, 2, 3].map((n) => batch.call(n)));
  for (const answer of answers) expect(answer).toMatchObject({ reason: { code: 'UNAVAILABLE' } });
  expect(tries).toBe(1);
  away = false;
  expect(await batch.call(7)).toBe(7);
});

test('a queue that is full refuses the next call', async () => {
  const batch = new Batch<number, number>(async (inputs) => inputs, { ...limits, longestQueue: 2 });
  const answers = await Promise.allSettled([1, 2, 3].map((n) => batch.call(n)));
  expect(answers[2]).toMatchObject({ reason: { code: 'RESOURCE_EXHAUSTED', details: { retryAfterMs: 500 } } });
  expect(await batch.call(4)).toBe(4);
});
