import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atStep, moveToReady, type Share } from './shares.ts';

const shares = (weights: Record<string, number>): Share[] =>
  Object.entries(weights).map(([service, weight]) => ({ service, weight }));
const weightsOf = (list: readonly Share[]) => Object.fromEntries(list.map(({ service, weight }) => [service, weight]));
const backends = fc
  .uniqueArray(fc.record({ service: fc.constantFrom(...'abcdef'), weight: fc.nat(1_000_000) }), {
    selector: ({ service }) => service,
    minLength: 1,
  })
  .filter((list) => list.some(({ weight }) => weight > 0));

test.each([
  [{ stable: 90, canary: 10 }, 10, { stable: 90, canary: 10 }],
  [{ stable: 90, canary: 10 }, 50, { stable: 50, canary: 50 }],
  [{ stable: 90, canary: 10 }, 100, { stable: 0, canary: 100 }],
  [{ stable: 90, canary: 10 }, 0, { stable: 100, canary: 0 }],
  [{ a: 90, b: 10, canary: 5 }, 10, { a: 81, b: 9, canary: 10 }],
  [{ a: 1, b: 1, c: 1, canary: 0 }, 0, { a: 1, b: 1, c: 1, canary: 0 }],
  [{ stable: 90, eu: 9, canary: 1 }, 95, { stable: 10, eu: 1, canary: 209 }],
  [{ a: 1_000_000, b: 1, canary: 1 }, 50, { a: 999_999, b: 1, canary: 1_000_000 }],
  [{ a: 1_000_000, b: 1, canary: 1 }, 99, { a: 10_101, b: 1, canary: 1_000_000 }],
  [{ canary: 1 }, 20, { canary: 20 }],
  [{ a: 0, b: 0, canary: 1 }, 20, { a: 40, b: 40, canary: 20 }],
])('of %o at a step of %i the shares are %o', (weights, step, expected) => {
  expect(weightsOf(atStep(shares(weights), 'canary', step))).toEqual(expected);
});

test.each([
  ['all are ready', { stable: 90, canary: 10 }, ['stable', 'canary'], { stable: 90, canary: 10 }],
  ['the canary is gone', { stable: 90, canary: 10 }, ['stable'], { stable: 90, canary: 0 }],
  ['the stable one is gone', { stable: 90, canary: 10 }, ['canary'], { stable: 0, canary: 10 }],
  ['one of three is gone', { a: 60, b: 30, c: 10 }, ['a', 'b'], { a: 60, b: 30, c: 0 }],
  ['one of three alike is gone', { a: 1, b: 1, c: 1 }, ['a', 'b'], { a: 1, b: 1, c: 0 }],
  ['nobody is ready', { stable: 90, canary: 10 }, [], { stable: 90, canary: 10 }],
  ['one without a weight is gone', { stable: 1, canary: 0 }, ['stable'], { stable: 1, canary: 0 }],
  ['only one without a weight is ready', { stable: 1, spare: 0 }, ['spare'], { stable: 1, spare: 0 }],
])('when %s', (_, wished, ready, expected) => {
  expect(weightsOf(moveToReady(shares(wished), shares(wished), (service) => ready.includes(service)))).toEqual(
    expected,
  );
});

test('a canary at 100 that is gone leaves its traffic to those it came from', () => {
  const [wished, before] = [shares({ stable: 0, canary: 100 }), shares({ stable: 90, canary: 10 })];
  expect(weightsOf(moveToReady(wished, before, (service) => service === 'stable'))).toEqual({ stable: 90, canary: 0 });
});

test('weight stays with ready backends only, each with its own, and the order stays', () => {
  fc.assert(
    fc.property(backends, fc.subarray([...'abcdef']), (list, ready) => {
      const moved = moveToReady(list, list, (service) => ready.includes(service));
      expect(moved.map(({ service }) => service)).toEqual(list.map(({ service }) => service));
      const canTake = list.some(({ service, weight }) => weight > 0 && ready.includes(service));
      for (const [i, { service, weight }] of list.entries()) {
        expect(moved[i]!.weight).toBe(canTake && !ready.includes(service) ? 0 : weight);
      }
    }),
  );
});

test('at every step the backend has its share, the others theirs of the rest, and who has a weight is not cut off', () => {
  fc.assert(
    fc.property(backends, fc.integer({ min: 0, max: 100 }), (list, step) => {
      const all = [...list, { service: 'other', weight: 1 }];
      const stepped = atStep(all, list[0]!.service, step);
      const sum = (of: readonly Share[]) => of.reduce((total, { weight }) => total + weight, 0);
      const wanted = (share: Share, i: number) =>
        i === 0 ? step / 100 : ((1 - step / 100) * share.weight) / sum(all.slice(1));
      for (const [i, share] of all.entries()) {
        const { weight } = stepped[i]!;
        expect(weight).toBeLessThanOrEqual(1_000_000);
        expect(Number.isInteger(weight)).toBe(true);
        expect(weight > 0).toBe(wanted(share, i) > 0);
        expect(Math.abs(weight / sum(stepped) - wanted(share, i))).toBeLessThan(0.000_01);
      }
    }),
  );
});
