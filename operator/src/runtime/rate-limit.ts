import { monotonicMs } from './timing.ts';

/** A bucket of `burst` tokens that refills at `perSecond`: how fast many keys together may go. */
export class TokenBucket {
  readonly #perSecond: number;
  readonly #burst: number;
  #tokens: number;
  #atMs: number;

  constructor(perSecond: number, burst: number) {
    this.#perSecond = perSecond;
    this.#burst = burst;
    this.#tokens = burst;
    this.#atMs = monotonicMs();
  }

  /** Takes a token, from the future if need be, and returns the milliseconds until it is there. */
  reserve(): number {
    this.#refill();
    this.#tokens -= 1;
    return this.#tokens >= 0 ? 0 : (-this.#tokens / this.#perSecond) * 1000;
  }

  /** Takes a token if one is there now. */
  take(): boolean {
    this.#refill();
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }

  #refill(): void {
    const now = monotonicMs();
    this.#tokens = Math.min(this.#burst, this.#tokens + ((now - this.#atMs) / 1000) * this.#perSecond);
    this.#atMs = now;
  }
}

export interface RetryOptions {
  /** The first wait of a key, doubled with each failure in a row. */
  baseMs?: number;
  maxMs?: number;
  /** Retries of all keys together. */
  perSecond?: number;
  burst?: number;
}

/** When a key that failed is tried again: the longer of its own exponential wait and the turn of all keys together. */
export class RetryLimiter {
  readonly #baseMs: number;
  readonly #maxMs: number;
  readonly #bucket: TokenBucket;
  readonly #failures = new Map<string, number>();

  constructor({ baseMs = 100, maxMs = 60_000, perSecond = 50, burst = 200 }: RetryOptions = {}) {
    this.#baseMs = baseMs;
    this.#maxMs = maxMs;
    this.#bucket = new TokenBucket(perSecond, burst);
  }

  /** The wait before the next try of this key, in milliseconds. */
  next(key: string): number {
    const failures = this.#failures.get(key) ?? 0;
    this.#failures.set(key, failures + 1);
    return Math.max(Math.min(this.#maxMs, this.#baseMs * 2 ** Math.min(failures, 40)), this.#bucket.reserve());
  }

  /** How often the key failed in a row. */
  failures(key: string): number {
    return this.#failures.get(key) ?? 0;
  }

  forget(key: string): void {
    this.#failures.delete(key);
  }
}
