import fc from 'fast-check';
import { expect, test } from 'vitest';
import { atStep, divide, moveToReady, type Share } from './shares.ts';

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
  [{ a: 1, b: 1, c: 1, canary: 0 }, 0, { a: 34, b: 33, c: 33, canary: 0 }],
  [{ a: 0, b: 0, canary: 1 }, 20, { a: 40, b: 40, canary: 20 }],
])('of %o at a step of %i the shares are %o', (weights, step, expected) => {
  expect(weightsOf(atStep(shares(weights), 'canary', step))).toEqual(expected);
});

test.each([
  ['all are ready', { stable: 90, canary: 10 }, ['stable', 'canary'], { stable: 90, canary: 10 }],
  ['the canary is gone', { stable: 90, canary: 10 }, ['stable'], { stable: 100, canary: 0 }],
  ['the stable one is gone', { stable: 90, canary: 10 }, ['canary'], { stable: 0, canary: 100 }],
  ['one of three is gone', { a: 60, b: 30, c: 10 }, ['a', 'b'], { a: 67, b: 33, c: 0 }],
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
  expect(weightsOf(moveToReady(wished, before, (service) => service === 'stable'))).toEqual({ stable: 100, canary: 0 });
});

test('whatever is divided, the parts sum up to it and are within one of their exact share', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.array(fc.nat(1_000_000), { minLength: 1, maxLength: 16 }), (whole, weights) => {
      const parts = divide(whole, weights);
      const sum = weights.reduce((a, b) => a + b, 0);
      expect(parts.reduce((a, b) => a + b, 0)).toBe(whole);
      if (sum > 0)
        for (const [i, part] of parts.entries()) expect(Math.abs(part - (whole * weights[i]!) / sum)).toBeLessThan(1);
    }),
  );
});

test('weight moves to ready backends only, none is lost, and the order stays', () => {
  fc.assert(
    fc.property(backends, fc.subarray([...'abcdef']), (list, ready) => {
      const moved = moveToReady(list, list, (service) => ready.includes(service));
      expect(moved.map(({ service }) => service)).toEqual(list.map(({ service }) => service));
      const sum = (of: readonly Share[]) => of.reduce((total, { weight }) => total + weight, 0);
      expect(sum(moved)).toBe(sum(list));
      const canTake = list.some(({ service, weight }) => weight > 0 && ready.includes(service));
      if (canTake) for (const { service, weight } of moved) expect(weight === 0 || ready.includes(service)).toBe(true);
      // A weight of 0 takes no traffic, whoever else is gone.
      for (const { service, weight } of list) {
        if (weight === 0) expect(moved.find((share) => share.service === service)?.weight).toBe(0);
      }
    }),
  );
});

test('at every step the weights sum up to 100', () => {
  fc.assert(
    fc.property(backends, fc.integer({ min: 0, max: 100 }), (list, step) => {
      const others = [...list, { service: 'other', weight: 1 }];
      const stepped = atStep(others, list[0]!.service, step);
      expect(stepped.reduce((total, { weight }) => total + weight, 0)).toBe(100);
      expect(stepped[0]?.weight).toBe(step);
    }),
  );
});
