/** How often one may try to sign in: by name from an address, by name, and by address, in this process's memory. */
import { AppError } from '@parley/kit';

/** Keys that are remembered; of more, the one that was seen first is forgotten. */
const mostKeys = 100_000;

interface Bucket {
  tokens: number;
  at: number;
}

/** Token buckets: `perMinute` at once, and that many a minute after. */
export class RateLimit {
  readonly #perMinute: number;
  readonly #mostKeys: number;
  readonly #buckets = new Map<string, Bucket>();

  constructor(perMinute: number, keys = mostKeys) {
    this.#perMinute = perMinute;
    this.#mostKeys = keys;
  }

  /** Takes one. @returns 0, or in how many milliseconds there is one to take. */
  take(key: string, now = Date.now()): number {
    const bucket = this.#bucket(key, now);
    if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / this.#perMinute) * 60_000);
    bucket.tokens -= 1;
    return 0;
  }

  /** Gives one back: what it was for did not count. */
  giveBack(key: string): void {
    const bucket = this.#buckets.get(key);
    if (bucket) bucket.tokens = Math.min(this.#perMinute, bucket.tokens + 1);
  }

  get size(): number {
    return this.#buckets.size;
  }

  #bucket(key: string, now: number): Bucket {
    const known = this.#buckets.get(key);
    const tokens = known
      ? Math.min(this.#perMinute, known.tokens + (Math.max(0, now - known.at) * this.#perMinute) / 60_000)
      : this.#perMinute;
    const bucket = { tokens, at: now };
    // Seen last, forgotten last.
    this.#buckets.delete(key);
    if (this.#buckets.size >= this.#mostKeys) this.#buckets.delete(this.#buckets.keys().next().value as string);
    this.#buckets.set(key, bucket);
    return bucket;
  }
}

export interface SignInRates {
  signInsPerUsername: number;
  signInsPerAddress: number;
}

/**
 * Sign-ins for a name may fail from everywhere as often as from this many addresses: nobody locks a user out from a few,
 * and a guesser who has thousands is slowed.
 */
const addressesPerUsername = 20;

/** The limits of one process. Behind several, a guesser gets as many times more: still nothing against argon2id. */
export class SignInLimits {
  readonly #namesFrom: RateLimit;
  readonly #names: RateLimit;
  readonly #addresses: RateLimit;

  constructor({ signInsPerUsername, signInsPerAddress }: SignInRates) {
    this.#namesFrom = new RateLimit(signInsPerUsername);
    this.#names = new RateLimit(signInsPerUsername * addressesPerUsername);
    this.#addresses = new RateLimit(signInsPerAddress);
  }

  /** Counts a call from this address. @throws AppError RESOURCE_EXHAUSTED with when to try again. */
  fromAddress(address: string): void {
    const retryAfterMs = this.#addresses.take(address);
    if (retryAfterMs > 0) throw tooMany('from this address', retryAfterMs);
  }

  /**
   * Counts a sign-in until it has succeeded: from this address, so that whoever guesses a name keeps nobody else from it,
   * and from all together. @throws AppError RESOURCE_EXHAUSTED with when to try again.
   */
  asUsername(username: string, address: string): void {
    const name = username.toLowerCase();
    const hereMs = this.#namesFrom.take(`${name} ${address}`);
    if (hereMs > 0) throw tooMany('that failed for this username', hereMs);
    const everywhereMs = this.#names.take(name);
    if (everywhereMs === 0) return;
    this.#namesFrom.giveBack(`${name} ${address}`);
    throw tooMany('that failed for this username', everywhereMs);
  }

  succeeded(username: string, address: string): void {
    const name = username.toLowerCase();
    this.#namesFrom.giveBack(`${name} ${address}`);
    this.#names.giveBack(name);
  }
}

const tooMany = (which: string, retryAfterMs: number) =>
  new AppError('RESOURCE_EXHAUSTED', `too many sign-ins ${which}: try again in ${Math.ceil(retryAfterMs / 1000)} s`, {
    retryAfterMs,
    reason: 'SIGN_IN_RATE',
  });
