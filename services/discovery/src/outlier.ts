import { status } from '@grpc/grpc-js';

/** A deadline that passes counts against an endpoint only when it has answered nothing at all for this long. */
const silenceMs = 1_000;

/** A call that lived longer than this was a stream, which a server may end as it likes, to drain or to move load. */
export const longCallMs = 10_000;

/**
 * What the end of a call says about its endpoint. Errors that an application answers with are answers; so only
 * UNAVAILABLE counts against it, and silence.
 */
export function verdict(code: status, lastedMs: number, silentMs: number): 'answered' | 'failed' | 'nothing' {
  if (code === status.CANCELLED) return 'nothing';
  if (code === status.DEADLINE_EXCEEDED) return silentMs >= silenceMs ? 'failed' : 'nothing';
  if (code === status.UNAVAILABLE) return lastedMs < longCallMs ? 'failed' : 'nothing';
  return 'answered';
}

/** When an endpoint that fails is taken out, and for how long. */
export interface OutlierPolicy {
  /** Failures in a row after which an endpoint is ejected; 0 turns ejection off. */
  consecutiveFailures: number;
  /** The first ejection lasts this long, each further one twice as long as the one before. */
  baseEjectionMs: number;
  maxEjectionMs: number;
  /** At most this part of the connected endpoints is out at a time: when all fail, ejecting helps nobody. */
  maxEjectedPercent: number;
}

export const defaultOutlierPolicy: OutlierPolicy = {
  consecutiveFailures: 5,
  baseEjectionMs: 5_000,
  maxEjectionMs: 60_000,
  maxEjectedPercent: 50,
};

/**
 * One endpoint's record. `in`: calls go to it. `out`: none do, until its time is over. `trial`: one call may; its outcome
 * decides between `in` and a longer `out`.
 */
export class Outlier {
  state: 'in' | 'out' | 'trial' = 'in';
  #failures = 0;
  #failedAt = Number.NEGATIVE_INFINITY;
  #ejections = 0;
  #returnedAt = Number.NEGATIVE_INFINITY;

  /** A call succeeded. True when that brings the endpoint back in. */
  succeeded(now: number): boolean {
    this.#failures = 0;
    if (this.state !== 'trial') return false;
    this.state = 'in';
    this.#returnedAt = now;
    return true;
  }

  /**
   * A call failed because of the endpoint.
   * @param mayEject false when too many others are out already
   * @returns for how many milliseconds it is now out, before jitter, or 0 when it is not ejected by this
   */
  failed(policy: OutlierPolicy, mayEject: boolean, now: number): number {
    // What lies further back than the longest ejection is no row any more.
    this.#failures = now - this.#failedAt > policy.maxEjectionMs ? 1 : this.#failures + 1;
    this.#failedAt = now;
    if (this.state === 'out' || policy.consecutiveFailures === 0) return 0;
    const again = this.state === 'trial';
    if (!again && (this.#failures < policy.consecutiveFailures || !mayEject)) return 0;
    // One that has been well for longer than the longest ejection starts afresh.
    if (!again && now - this.#returnedAt > policy.maxEjectionMs) this.#ejections = 0;
    this.state = 'out';
    const ms = Math.min(policy.baseEjectionMs * 2 ** this.#ejections, policy.maxEjectionMs);
    this.#ejections += 1;
    return ms;
  }

  /** The trial call neither succeeded nor failed for long: back in, but one failure is enough to be out again. */
  undecided(policy: OutlierPolicy, now: number): boolean {
    if (this.state !== 'trial') return false;
    this.state = 'in';
    this.#returnedAt = now;
    this.#failedAt = now;
    this.#failures = policy.consecutiveFailures - 1;
    return true;
  }

  /** The time is over: the next call is the trial. */
  timeServed(): void {
    if (this.state === 'out') this.state = 'trial';
  }
}
