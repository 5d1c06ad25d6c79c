import { monotonicMs, TokenBucket } from '../runtime/index.ts';

/** How often the numbers in a status may be written: of one room, and of all together. */
export interface ThrottleOptions {
  everyMs?: number;
  perSecond?: number;
}

/**
 * Says when a status of which only the numbers have changed may be written: ten thousand busy rooms must not be ten
 * thousand writes at each message.
 */
export class NumbersThrottle {
  readonly #everyMs: number;
  readonly #bucket: TokenBucket;
  readonly #dueMs = new Map<string, number>();
  readonly #writtenMs = new Map<string, number>();

  constructor({ everyMs = 10_000, perSecond = 20 }: ThrottleOptions = {}) {
    this.#everyMs = everyMs;
    this.#bucket = new TokenBucket(perSecond, perSecond);
  }

  /** Milliseconds until this room's numbers may be written; 0: now. Asking again does not put it off. */
  waitMs(key: string): number {
    const now = monotonicMs();
    const dueMs =
      this.#dueMs.get(key) ??
      Math.max(now + this.#bucket.reserve(), (this.#writtenMs.get(key) ?? -Infinity) + this.#everyMs);
    this.#dueMs.set(key, dueMs);
    return Math.max(0, dueMs - now);
  }

  /** The status was written, numbers and all. */
  written(key: string): void {
    this.#writtenMs.set(key, monotonicMs());
    this.#dueMs.delete(key);
  }

  forget(key: string): void {
    this.#dueMs.delete(key);
    this.#writtenMs.delete(key);
  }
}
