/** How often somebody may do something: the generic cell rate algorithm, a number per caller. */
import { AppError } from '@parley/kit';

const mostCallers = 100_000;

export class RateLimit {
  readonly #what: string;
  readonly #perSecond: number;
  readonly #intervalMs: number;
  readonly #burstMs: number;
  readonly #due = new Map<string, number>();

  /** @param what as in `sends`. @param burst how many may come at once */
  constructor(what: string, perSecond: number, burst: number) {
    this.#what = what;
    this.#perSecond = perSecond;
    this.#intervalMs = 1000 / perSecond;
    this.#burstMs = this.#intervalMs * (burst - 1);
  }

  /** @throws AppError RESOURCE_EXHAUSTED with when to try again. */
  take(caller: string, now = performance.now()): void {
    const due = Math.max(this.#due.get(caller) ?? 0, now);
    const wait = due - this.#burstMs - now;
    if (wait > 0) {
      const retryAfterMs = Math.max(1, Math.ceil(wait));
      const message = `too many ${this.#what}: ${this.#perSecond} a second are allowed; try again in ${retryAfterMs} ms`;
      throw new AppError('RESOURCE_EXHAUSTED', message, { reason: 'RATE_LIMITED', retryAfterMs });
    }
    if (this.#due.size >= mostCallers) this.#forget(now);
    this.#due.set(caller, due + this.#intervalMs);
  }

  #forget(now: number): void {
    for (const [caller, due] of this.#due) if (due <= now) this.#due.delete(caller);
    if (this.#due.size >= mostCallers) this.#due.clear();
  }
}
