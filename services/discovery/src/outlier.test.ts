import { status } from '@grpc/grpc-js';
import { expect, it } from 'vitest';
import { defaultOutlierPolicy, longCallMs, Outlier, verdict } from './outlier.ts';

const policy = { ...defaultOutlierPolicy, consecutiveFailures: 3, baseEjectionMs: 1_000, maxEjectionMs: 6_000 };

it('is ejected after so many failures in a row, and not before', () => {
  const outlier = new Outlier();
  const outcomes = ['failed', 'failed', 'succeeded', 'failed', 'failed', 'failed'] as const;
  const ejected = outcomes.map((outcome) =>
    outcome === 'failed' ? outlier.failed(policy, true, 0) : Number(outlier.succeeded(0)),
  );
  expect(ejected).toEqual([0, 0, 0, 0, 0, 1_000]);
});

it('is out for twice as long after each trial that fails, up to the longest', () => {
  const outlier = new Outlier();
  const times = Array.from({ length: 2 }, () => outlier.failed(policy, true, 0));
  for (let trial = 0; trial < 5; trial++) {
    times.push(outlier.failed(policy, true, 0));
    outlier.timeServed();
  }
  expect(times).toEqual([0, 0, 1_000, 2_000, 4_000, 6_000, 6_000]);
});

it('is back in after one success, and starts afresh when it was well for long', () => {
  const outlier = new Outlier();
  const eject = (now: number) => [1, 2, 3].map(() => outlier.failed(policy, true, now)).at(-1);
  expect(eject(0)).toBe(1_000);
  outlier.timeServed();
  expect(outlier.succeeded(1_000)).toBe(true);
  expect(outlier.state).toBe('in');
  expect(eject(2_000)).toBe(2_000);
  outlier.timeServed();
  outlier.succeeded(4_000);
  expect(eject(4_000 + 6_001)).toBe(1_000);
});

it('on probation, one failure is enough', () => {
  const outlier = new Outlier();
  for (let failure = 0; failure < 3; failure++) outlier.failed(policy, true, 0);
  outlier.timeServed();
  expect(outlier.undecided(policy, 0)).toBe(true);
  expect(outlier.failed(policy, true, 0)).toBe(2_000);
});

it('stays in when too many others are out, or ejection is off', () => {
  const outlier = new Outlier();
  const times = [1, 2, 3, 4].map(() => outlier.failed(policy, false, 0));
  const off = [1, 2, 3, 4].map(() => outlier.failed({ ...policy, consecutiveFailures: 0 }, true, 0));
  expect([...times, ...off]).toEqual(Array(8).fill(0));
});

it('is not ejected for failures that lie far apart', () => {
  const outlier = new Outlier();
  const times = [1, 2, 3, 4, 5].map((failure) => outlier.failed(policy, true, failure * (policy.maxEjectionMs + 1)));
  expect(times).toEqual([0, 0, 0, 0, 0]);
});

it.each([
  ['an answer', status.OK, 1, 0, 'answered'],
  ["an application's error", status.NOT_FOUND, 1, 0, 'answered'],
  ['unavailable', status.UNAVAILABLE, 1, 0, 'failed'],
  ['a stream that is ended to drain', status.UNAVAILABLE, longCallMs, 0, 'nothing'],
  ["a caller's impatience", status.DEADLINE_EXCEEDED, 50, 50, 'nothing'],
  ['a deadline after a long silence', status.DEADLINE_EXCEEDED, 50, 1_000, 'failed'],
  ["a caller's cancellation", status.CANCELLED, 1, 5_000, 'nothing'],
] as const)('%s is told apart', (_what, code, lastedMs, silentMs, expected) => {
  expect(verdict(code, lastedMs, silentMs)).toBe(expected);
});
