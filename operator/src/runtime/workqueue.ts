import type { Metrics } from './metrics.ts';
import { RetryLimiter, type RetryOptions } from './rate-limit.ts';
import { monotonicMs } from './timing.ts';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * Keys that wait for work, as client-go's workqueue: a key that is added twice waits once; one that is added while it is
 * worked on waits until that is done, so no key has two workers; a key that failed comes back later and later.
 */
export class WorkQueue implements Disposable {
  readonly name: string;
  readonly #metrics: Metrics | undefined;
  readonly #limiter: RetryLimiter;
  /** In order of arrival, each with when it arrived. */
  readonly #waiting = new Map<string, number>();
  readonly #working = new Map<string, number>();
  /** Added while worked on. */
  readonly #again = new Set<string>();
  readonly #delayed = new Map<string, { atMs: number; timer: NodeJS.Timeout }>();
  readonly #takers: ((key: string | undefined) => void)[] = [];
  readonly #unwatch: (() => void) | undefined;
  #closed = false;

  constructor(name: string, options: { retry?: RetryOptions | undefined; metrics?: Metrics | undefined } = {}) {
    this.name = name;
    this.#limiter = new RetryLimiter(options.retry);
    this.#metrics = options.metrics;
    // From the start, as client-go: the first failure is an increase, too.
    this.#metrics?.queueAdds.inc({ name }, 0);
    this.#metrics?.queueRetries.inc({ name }, 0);
    this.#unwatch = options.metrics?.watchQueue(name, () => {
      const now = monotonicMs();
      const ages = [...this.#working.values()].map((since) => (now - since) / 1000);
      return {
        depth: this.#waiting.size,
        unfinishedSeconds: ages.reduce((sum, age) => sum + age, 0),
        longestRunningSeconds: Math.max(0, ...ages),
      };
    });
  }

  get depth(): number {
    return this.#waiting.size;
  }

  /** Nothing waits, is delayed or worked on. */
  get idle(): boolean {
    return this.#waiting.size + this.#working.size + this.#delayed.size === 0;
  }

  add(key: string): void {
    if (this.#closed) return;
    this.#undelay(key);
    if (this.#waiting.has(key) || this.#again.has(key)) return;
    this.#metrics?.queueAdds.inc({ name: this.name });
    if (this.#working.has(key)) {
      this.#again.add(key);
      return;
    }
    this.#enqueue(key);
  }

  /** Adds the key in `ms` milliseconds. Of two delays the shorter counts. */
  addAfter(key: string, ms: number): void {
    if (this.#closed) return;
    if (ms <= 0) {
      this.add(key);
      return;
    }
    const atMs = monotonicMs() + ms;
    const known = this.#delayed.get(key);
    if (known && known.atMs <= atMs) return;
    this.#undelay(key);
    const timer = setTimeout(
      () => {
        this.#delayed.delete(key);
        this.addAfter(key, atMs - monotonicMs());
      },
      Math.min(ms, LONGEST_TIMER_MS),
    );
    this.#delayed.set(key, { atMs, timer });
  }

  /** Adds a key that failed: after its back-off, and not faster than the rate for all. */
  addRateLimited(key: string): void {
    this.#metrics?.queueRetries.inc({ name: this.name });
    this.addAfter(key, this.#limiter.next(key));
  }

  /** Ends a key's back-off, after it succeeded. */
  forget(key: string): void {
    this.#limiter.forget(key);
  }

  /** How often the key failed in a row. */
  failures(key: string): number {
    return this.#limiter.failures(key);
  }

  /**
   * The next key, which is then worked on until {@link done}; undefined once the queue is closed or the signal aborts.
   */
  take(signal?: AbortSignal): Promise<string | undefined> {
    if (this.#closed || signal?.aborted) return Promise.resolve(undefined);
    const [next] = this.#waiting.keys();
    if (next !== undefined) {
      this.#begin(next);
      return Promise.resolve(next);
    }
    return new Promise((resolve) => {
      const taker = (key: string | undefined) => {
        signal?.removeEventListener('abort', leave);
        resolve(key);
      };
      const leave = () => {
        this.#takers.splice(this.#takers.indexOf(taker), 1);
        taker(undefined);
      };
      signal?.addEventListener('abort', leave);
      this.#takers.push(taker);
    });
  }

  /** Ends the work on a key; if it was added meanwhile it waits again. */
  done(key: string): void {
    const since = this.#working.get(key);
    if (since === undefined) return;
    this.#working.delete(key);
    this.#metrics?.workSeconds.observe({ name: this.name }, (monotonicMs() - since) / 1000);
    if (this.#again.delete(key) && !this.#closed) this.#enqueue(key);
  }

  /** Drops what waits and lets every taker go. */
  close(): void {
    this.#closed = true;
    for (const { timer } of this.#delayed.values()) clearTimeout(timer);
    this.#delayed.clear();
    this.#waiting.clear();
    for (const taker of this.#takers.splice(0)) taker(undefined);
    this.#unwatch?.();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #enqueue(key: string): void {
    this.#waiting.set(key, monotonicMs());
    const taker = this.#takers.shift();
    if (!taker) return;
    this.#begin(key);
    taker(key);
  }

  #begin(key: string): void {
    const now = monotonicMs();
    this.#metrics?.queueSeconds.observe({ name: this.name }, (now - this.#waiting.get(key)!) / 1000);
    this.#waiting.delete(key);
    this.#working.set(key, now);
  }

  #undelay(key: string): void {
    const delayed = this.#delayed.get(key);
    if (!delayed) return;
    clearTimeout(delayed.timer);
    this.#delayed.delete(key);
  }
}
