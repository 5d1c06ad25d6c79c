import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toMove } from './balance.ts';

test('a pod alone, and pods that are even, move nothing', () => {
  expect(toMove(400, [400])).toBe(0);
  expect(toMove(0, [])).toBe(0);
  expect(toMove(110, [110, 100, 90])).toBe(0);
});

test('after a scale-up from 2 to 4 pods with 400 streams, each is within 25 % of its share after 12 rounds of 5 s', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3), { minLength: 48, maxLength: 48 }), (choices) => {
      const loads = [200, 200, 0, 0];
      for (let round = 0; round < 12; round++) {
        const moves = loads.map((load) => toMove(load, loads));
        moves.forEach((moved, pod) => {
          loads[pod]! -= moved;
          // They connect anew to all pods in turn, whichever comes first.
          const first = choices[round * 4 + pod]!;
          for (let i = 0; i < moved; i++) loads[(i + first) % 4]! += 1;
        });
      }
      for (const load of loads) expect(Math.abs(load - 100)).toBeLessThanOrEqual(25);
    }),
    { numRuns: 500 },
  );
});

test('a pod never moves more than its excess', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(5000), { minLength: 1, maxLength: 20 }), (loads) => {
      const share = loads.reduce((sum, load) => sum + load, 0) / loads.length;
      for (const load of loads) expect(toMove(load, loads)).toBeLessThanOrEqual(Math.max(0, load - share));
    }),
  );
});
