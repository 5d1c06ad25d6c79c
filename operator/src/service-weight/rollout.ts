import { parseDuration, type RolloutStatus, type ServiceWeightSpec } from '../api/index.ts';
import { kubeTime } from '../runtime/index.ts';

/** How long a backend may be unhealthy before its rollout is taken back: a pod that restarts is not a failure. */
export const UNHEALTHY_MS = 10_000;
/** How long a rollout waits for its backend's first ready endpoint. */
export const PENDING_MS = 10 * 60_000;

/** What is known of the backend that a rollout shifts traffic to. */
export interface Health {
  readyEndpoints: number;
  /** The share of its calls that failed; absent where Prometheus is not asked, or has seen no calls. */
  errorRate?: number;
  /** Prometheus is to be asked and does not answer: then no step is taken. */
  unknown?: string;
}

export interface RolloutInput {
  rollout: NonNullable<ServiceWeightSpec['rollout']>;
  before: RolloutStatus | undefined;
  /** What was said of it last: why a rollout was taken back stays to be read. */
  lastMessage?: string | undefined;
  generation: number;
  paused: boolean;
  aborted: boolean;
  health: Health;
  maxErrorRate: number;
  now: Date;
}

export interface RolloutOutcome {
  status: RolloutStatus;
  /** The backend's weight of 100; undefined: as in spec.backends. */
  weight: number | undefined;
  /** What to say of it, for people. */
  message: string;
  /** When time alone changes something. */
  againInMs?: number;
}

/**
 * Where a rollout is now, from where it was. Pure: one transition at most, but for steps without a pause, which a later
 * call takes at once.
 */
export function advance(input: RolloutInput): RolloutOutcome {
  const { rollout, generation, paused, aborted, health, now } = input;
  const before = input.before?.generation === generation ? input.before : undefined;
  const start: RolloutStatus = { step: 0, phase: 'Pending', generation, since: kubeTime(now) };
  const status = before ?? start;
  if (status.phase === 'Aborted') return ended(status, undefined, input.lastMessage ?? 'taken back');
  if (aborted) return abort(status, now, 'parley.dev/abort is true');
  if (status.phase === 'Complete') {
    return ended(status, rollout.steps.at(-1)!.weight, `complete after ${rollout.steps.length} steps`);
  }
  const illness = unhealthy(health, input.maxErrorRate);
  if (status.phase === 'Pending') return begin(status, input, illness);
  if (illness) {
    const sinceMs = Date.parse(status.unhealthySince ?? kubeTime(now));
    const leftMs = sinceMs + UNHEALTHY_MS - now.getTime();
    if (leftMs <= 0) return abort(status, now, `${rollout.backend} ${illness}`);
    const ill = { ...status, unhealthySince: status.unhealthySince ?? kubeTime(now) };
    return at(ill, rollout, `${rollout.backend} ${illness}; taken back if it stays so`, Math.min(leftMs, 2_000));
  }
  const { unhealthySince, ...well } = status;
  if (paused) {
    const held: RolloutStatus = well.phase === 'Paused' ? well : { ...well, phase: 'Paused', since: kubeTime(now) };
    return at(held, rollout, 'held by parley.dev/pause', 5_000);
  }
  // The step begins anew after a pause: what was seen before it says little.
  if (well.phase === 'Paused') return at({ ...well, phase: 'Progressing', since: kubeTime(now) }, rollout, '', 1_000);
  return proceed(well, input);
}

function proceed(status: RolloutStatus, { rollout, health, now }: RolloutInput): RolloutOutcome {
  const pauseMs = parseDuration(rollout.steps[status.step - 1]?.pause ?? '0s') ?? 0;
  const leftMs = Date.parse(status.since ?? kubeTime(now)) + pauseMs - now.getTime();
  if (leftMs > 0) return at(status, rollout, '', Math.min(leftMs, 5_000));
  if (health.unknown !== undefined) return at(status, rollout, `waits: ${health.unknown}`, 5_000);
  if (status.step >= rollout.steps.length) {
    const done: RolloutStatus = { ...status, phase: 'Complete', since: kubeTime(now) };
    return ended(done, rollout.steps.at(-1)!.weight, `complete after ${rollout.steps.length} steps`);
  }
  return at({ ...status, step: status.step + 1, since: kubeTime(now) }, rollout, '', 0);
}

function begin(status: RolloutStatus, { rollout, health, paused, now }: RolloutInput, illness: string | undefined) {
  const leftMs = Date.parse(status.since ?? kubeTime(now)) + PENDING_MS - now.getTime();
  if (health.readyEndpoints === 0 && leftMs <= 0) {
    return abort(status, now, `${rollout.backend} had no ready endpoint for ${PENDING_MS / 60_000} minutes`);
  }
  const why = paused ? 'held by parley.dev/pause' : (illness ?? health.unknown);
  if (why !== undefined) {
    const subject = paused || !illness ? '' : `${rollout.backend} `;
    return { status, weight: undefined, message: `not begun: ${subject}${why}`, againInMs: 5_000 };
  }
  return at({ ...status, step: 1, phase: 'Progressing', since: kubeTime(now) }, rollout, '', 0);
}

function at(
  status: RolloutStatus,
  { backend, steps }: RolloutInput['rollout'],
  note: string,
  againInMs: number,
): RolloutOutcome {
  const { weight } = steps[status.step - 1]!;
  const where = `step ${status.step} of ${steps.length}: ${backend} has ${weight} of 100`;
  return { status, weight, message: note === '' ? where : `${where}; ${note}`, againInMs: Math.max(againInMs, 200) };
}

function abort(status: RolloutStatus, now: Date, why: string): RolloutOutcome {
  const { unhealthySince, ...rest } = status;
  return ended({ ...rest, step: 0, phase: 'Aborted', since: kubeTime(now) }, undefined, `taken back: ${why}`);
}

function ended(status: RolloutStatus, weight: number | undefined, message: string): RolloutOutcome {
  return { status, weight, message };
}

function unhealthy({ readyEndpoints, errorRate }: Health, maxErrorRate: number): string | undefined {
  if (readyEndpoints === 0) return 'has no ready endpoint';
  if (errorRate !== undefined && errorRate > maxErrorRate) {
    return `fails ${(errorRate * 100).toFixed(1)} % of its calls; at most ${(maxErrorRate * 100).toFixed(1)} %`;
  }
  return undefined;
}
