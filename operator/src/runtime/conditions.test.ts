import { expect, test } from 'vitest';
import { holds } from './apply.ts';
import { findCondition, kubeTime, setConditions } from './conditions.ts';

const ready = { type: 'Ready', status: 'True', reason: 'Applied', message: '', observedGeneration: 1 } as const;

test('lastTransitionTime moves when the status does, and only then', () => {
  const first = setConditions(undefined, [ready], new Date('2026-01-01T00:00:00Z'));
  const again = setConditions(first, [{ ...ready, observedGeneration: 2 }], new Date('2026-01-02T00:00:00Z'));
  expect(again[0]).toMatchObject({ observedGeneration: 2, lastTransitionTime: '2026-01-01T00:00:00Z' });
  const other = setConditions(again, [{ ...ready, status: 'False' }], new Date('2026-01-03T00:00:00.999Z'));
  expect(findCondition(other, 'Ready')?.lastTransitionTime).toBe('2026-01-03T00:00:00Z');
});

test('the same finding again changes nothing', () => {
  const first = setConditions([], [ready], new Date(0));
  expect(setConditions(first, [ready], new Date())).toEqual(first);
});

test('times are as Kubernetes writes them', () => {
  expect(kubeTime(new Date('2026-11-23T11:00:00.123Z'))).toBe('2026-11-23T11:00:00Z');
});

test('what is wanted holds when every field is there, whatever else is', () => {
  expect(holds({ a: 1, b: undefined }, { a: 1, c: 2 })).toBe(true);
  expect(holds({ list: [{ a: 1 }] }, { list: [{ a: 1, b: 2 }] })).toBe(true);
  expect(holds({ list: [] }, { list: [1] })).toBe(false);
  expect(holds({ a: { b: 1 } }, {})).toBe(false);
  expect(holds({ a: null }, { a: 0 })).toBe(false);
});
