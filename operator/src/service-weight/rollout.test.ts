import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { RolloutStatus } from '../api/index.ts';
import { advance, type Health, PENDING_MS, type RolloutInput, UNHEALTHY_MS } from './rollout.ts';

const rollout = {
  backend: 'canary',
  steps: [{ weight: 10, pause: '60s' }, { weight: 50, pause: '60s' }, { weight: 100 }],
};
const well: Health = { readyEndpoints: 2 };
const start = Date.parse('2026-11-23T12:00:00Z');

/** A rollout in a world of its own, in which time passes as told. */
class World {
  now = start;
  before: RolloutStatus | undefined;
  generation = 1;
  paused = false;
  aborted = false;
  health: Health = well;
  rollout: RolloutInput['rollout'] = rollout;

  look() {
    const outcome = advance({ ...this, maxErrorRate: 0.05, now: new Date(this.now) });
    this.before = outcome.status;
    return outcome;
  }
  /** After some seconds, looked at as often as it asks for. */
  after(seconds: number) {
    const until = this.now + seconds * 1_000;
    let outcome = this.look();
    while (outcome.againInMs !== undefined && this.now + outcome.againInMs <= until) {
      this.now += outcome.againInMs;
      outcome = this.look();
    }
    this.now = until;
    outcome = this.look();
    return { step: outcome.status.step, phase: outcome.status.phase, weight: outcome.weight };
  }
}

test('steps are taken one by one, each after its pause, to the end', () => {
  const world = new World();
  expect(world.after(1)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
  expect(world.after(57)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
  expect(world.after(10)).toEqual({ step: 2, phase: 'Progressing', weight: 50 });
  expect(world.after(70)).toEqual({ step: 3, phase: 'Complete', weight: 100 });
  expect(world.after(3_600)).toEqual({ step: 3, phase: 'Complete', weight: 100 });
});

test('it begins with the first ready endpoint, and is given up when none comes', () => {
  const world = new World();
  world.health = { readyEndpoints: 0 };
  expect(world.after(300)).toEqual({ step: 0, phase: 'Pending', weight: undefined });
  world.health = well;
  expect(world.after(1)).toMatchObject({ step: 1 });
  const never = new World();
  never.health = { readyEndpoints: 0 };
  expect(never.after(PENDING_MS / 1_000 + 5)).toEqual({ step: 0, phase: 'Aborted', weight: undefined });
});

test('a canary that stays unhealthy is taken back, one that blinks is not', () => {
  const world = new World();
  world.after(5);
  world.health = { readyEndpoints: 0 };
  expect(world.after(UNHEALTHY_MS / 1_000 - 4)).toMatchObject({ step: 1, phase: 'Progressing' });
  world.health = well;
  expect(world.after(1)).toMatchObject({ step: 1, phase: 'Progressing' });
  expect(world.before?.unhealthySince).toBeUndefined();
  world.health = { readyEndpoints: 0 };
  expect(world.after(UNHEALTHY_MS / 1_000 + 4)).toEqual({ step: 0, phase: 'Aborted', weight: undefined });
  world.health = well;
  expect(world.after(3_600)).toMatchObject({ phase: 'Aborted' });
});

test('an error rate above the limit takes it back, with the numbers in the message', () => {
  const world = new World();
  world.after(5);
  world.health = { readyEndpoints: 2, errorRate: 0.2 };
  world.after(UNHEALTHY_MS / 1_000 + 2);
  expect(world.look()).toMatchObject({ status: { phase: 'Aborted' } });
  const told = new World();
  told.after(5);
  told.health = { readyEndpoints: 2, errorRate: 0.2 };
  expect(told.look().message).toContain('canary fails 20.0 % of its calls; at most 5.0 %');
});

test('without an answer from Prometheus no step is taken, and none back', () => {
  const world = new World();
  world.after(5);
  world.health = { readyEndpoints: 2, unknown: 'Prometheus does not answer' };
  expect(world.after(600)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
  world.health = well;
  expect(world.after(6)).toMatchObject({ step: 2 });
});

test('a pause holds it, and the step begins anew after it', () => {
  const world = new World();
  world.after(50);
  world.paused = true;
  expect(world.after(3_600)).toEqual({ step: 1, phase: 'Paused', weight: 10 });
  world.paused = false;
  expect(world.after(50)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
  expect(world.after(20)).toMatchObject({ step: 2 });
});

test('an abort returns to spec.backends and stays, until the spec changes', () => {
  const world = new World();
  world.after(70);
  world.aborted = true;
  expect(world.after(1)).toEqual({ step: 0, phase: 'Aborted', weight: undefined });
  world.aborted = false;
  expect(world.after(60)).toMatchObject({ phase: 'Aborted' });
  world.generation = 2;
  expect(world.after(1)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
});

test('a changed spec starts it anew from wherever it is', () => {
  const world = new World();
  world.after(200);
  expect(world.before?.phase).toBe('Complete');
  world.generation = 2;
  expect(world.after(1)).toEqual({ step: 1, phase: 'Progressing', weight: 10 });
});

test('it never skips a step, never moves without health, and ends only once', () => {
  const event = fc.record({
    seconds: fc.integer({ min: 0, max: 100 }),
    ready: fc.integer({ min: 0, max: 2 }),
    paused: fc.boolean(),
    aborted: fc.constantFrom(false, false, false, true),
  });
  fc.assert(
    fc.property(fc.array(event, { maxLength: 40 }), (events) => {
      const world = new World();
      for (const { seconds, ready, paused, aborted } of events) {
        const before = world.before;
        world.now += seconds * 1_000;
        Object.assign(world, { paused, aborted, health: { readyEndpoints: ready } });
        const { status, weight } = world.look();
        const step = before?.step ?? 0;
        if (status.step > step) {
          expect(status.step).toBe(step + 1);
          expect(ready).toBeGreaterThan(0);
          expect(paused || aborted).toBe(false);
        } else if (status.step < step) expect(status).toMatchObject({ step: 0, phase: 'Aborted' });
        if (before?.phase === 'Aborted') expect(status).toEqual(before);
        if (before?.phase === 'Complete') expect(['Complete', 'Aborted']).toContain(status.phase);
        expect(weight).toBe(status.step === 0 ? undefined : rollout.steps[status.step - 1]!.weight);
      }
    }),
  );
});
