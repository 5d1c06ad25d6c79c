import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Schedule } from './schedule.ts';

const weights = fc.array(fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 })), {
  minLength: 1,
  maxLength: 60,
});

describe('Schedule', () => {
  it('keeps every share within 2 of its ideal in every window of picks, wherever it starts', () => {
    fc.assert(
      fc.property(weights, fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (weights, start) => {
        const total = weights.reduce((a, b) => a + b, 0);
        const schedule = new Schedule(weights, () => start);
        const lag = weights.map(() => 0);
        const highest = weights.map(() => 0);
        const lowest = weights.map(() => 0);
        for (let slot = 0; slot < 400; slot++) {
          const picked = schedule.next();
          for (let entry = 0; entry < weights.length; entry++) {
            lag[entry]! += weights[entry]! / total - (entry === picked ? 1 : 0);
            // A window is the difference of two prefixes, so the spread of the lag bounds all windows at once.
            highest[entry] = Math.max(highest[entry]!, lag[entry]!);
            lowest[entry] = Math.min(lowest[entry]!, lag[entry]!);
            expect(highest[entry]! - lowest[entry]!).toBeLessThan(2 + 1e-9);
          }
        }
      }),
      { numRuns: 150 },
    );
  });

  it('gives everyone exactly his weight in each full turn', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 30 }), (weights) => {
        const total = weights.reduce((a, b) => a + b, 0);
        const schedule = new Schedule(weights, () => 0);
        for (let turn = 0; turn < 3; turn++) {
          const counts = weights.map(() => 0);
          for (let slot = 0; slot < total; slot++) counts[schedule.next()]! += 1;
          const divisor = total / counts.reduce((a, b) => a + b, 0);
          expect(counts.map((count) => count * divisor)).toEqual(weights);
        }
      }),
    );
  });

  it('lets many clients that make few picks each follow the weights together', () => {
    for (const weights of [
      [90, 10],
      [99, 1],
      [1, 999_999],
      [5, 3, 2],
      [50, 49, 1],
    ]) {
      const total = weights.reduce((a, b) => a + b, 0);
      const counts = weights.map(() => 0);
      const clients = 20_000;
      for (let client = 0; client < clients; client++) {
        // An even grid of starting slots instead of chance: the test must not flicker.
        counts[new Schedule(weights, () => (client + 0.5) / clients).next()]! += 1;
      }
      weights.forEach((weight, entry) => {
        expect(Math.abs(counts[entry]! / clients - weight / total)).toBeLessThan(0.005);
      });
    }
  });
});
