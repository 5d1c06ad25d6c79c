/** When to try again: exponential, with full jitter, so that many clients do not come back as one. */

export interface BackoffLimits {
  firstMs: number;
  longestMs: number;
}

export const reconnectLimits: BackoffLimits = { firstMs: 250, longestMs: 15_000 };

/**
 * How long to wait before an attempt.
 *
 * @param attempt 0 for the first.
 * @param random from 0 to 1.
 * @returns milliseconds, from a fifth of the bound up to it: never at once, never later than `longestMs`.
 */
export function backoffMs(attempt: number, limits: BackoffLimits = reconnectLimits, random = Math.random()): number {
  const bound = Math.min(limits.longestMs, limits.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(bound * (0.2 + 0.8 * random));
}
