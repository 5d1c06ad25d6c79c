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
    this.#failures += 1;
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
    this.#failures = policy.consecutiveFailures - 1;
    return true;
  }

  /** The time is over: the next call is the trial. */
  timeServed(): void {
    if (this.state === 'out') this.state = 'trial';
  }
}
