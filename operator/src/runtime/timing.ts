/**
 * Milliseconds of a clock that never jumps. It goes on while the process is stopped (SIGSTOP), so a deadline that passed
 * meanwhile is seen to have passed.
 */
export function monotonicMs(): number {
  return performance.now();
}

/** Resolves after `ms`, or at once when the signal aborts. It never rejects and leaves no timer behind. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, Math.max(0, ms));
    signal.addEventListener('abort', end);
  });
}

/**
 * Waits between attempts: doubling from `baseMs` to `maxMs`, each time a random part of it between half and all, so that
 * many clients of one server do not come back together.
 */
export class Backoff {
  readonly baseMs: number;
  readonly maxMs: number;
  #failures = 0;

  constructor(baseMs: number, maxMs: number) {
    this.baseMs = baseMs;
    this.maxMs = maxMs;
  }

  /** The next wait in milliseconds. */
  next(): number {
    const full = Math.min(this.maxMs, this.baseMs * 2 ** Math.min(this.#failures++, 30));
    return full * (0.5 + Math.random() / 2);
  }

  /** How often in a row it was waited since the last reset. */
  get failures(): number {
    return this.#failures;
  }

  reset(): void {
    this.#failures = 0;
  }
}
