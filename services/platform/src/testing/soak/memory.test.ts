import { expect, test } from 'vitest';
import { growthOf, mostGrowth, type Sample } from './memory.ts';

/** A sample every 10 s, of a process that has these MiB at each minute. */
function run(minutes: number, rss: (minute: number) => number): Sample[] {
  return Array.from({ length: minutes * 6 }, (_, i) => {
    const minute = i / 6;
    return { minute, rssBytes: rss(minute) * 1024 * 1024, heapBytes: 1, externalBytes: 1 };
  });
}

test('what grows until it is warm, and then no more, has not grown', () => {
  const growth = growthOf(run(30, (minute) => 100 + Math.min(minute, 4) * 20));
  expect(growth?.ratio).toBeCloseTo(1, 5);
});

test('what grows all the time is seen, however slowly', () => {
  expect(growthOf(run(30, (minute) => 100 + minute))?.ratio).toBeGreaterThan(mostGrowth);
});

test('a moment that takes much memory decides nothing', () => {
  const growth = growthOf(run(30, (minute) => (minute > 28 && minute < 29 ? 500 : 100)));
  expect(growth?.ratio).toBe(1);
});

test('a run without a minute 5, or without three minutes after it, is not judged', () => {
  expect(growthOf(run(8, () => 100))).toBeUndefined();
  expect(growthOf([])).toBeUndefined();
});
