import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';
import { formatCursor, parseCursor } from './cursor.ts';

test('a wait is never nothing, never longer than allowed, and spread out', () => {
  fc.assert(
    fc.property(fc.nat(1_000), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const inMs = backoffMs(attempt, { firstMs: 250, longestMs: 15_000 }, random);
      expect(inMs).toBeGreaterThanOrEqual(50);
      expect(inMs).toBeLessThanOrEqual(15_000);
    }),
  );
});

test('a cursor survives being written and read; anything else is none', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-z0-9]{1,16}$/), fc.nat(), (epoch, sequence) => {
      expect(parseCursor(formatCursor({ epoch, sequence }))).toEqual({ epoch, sequence });
    }),
  );
  for (const bad of ['', 'e1', 'e1-', '-1', 'E1-1', 'e1-x', 'e1-1-1']) expect(parseCursor(bad)).toBeUndefined();
});
