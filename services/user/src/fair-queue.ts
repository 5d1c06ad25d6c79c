import { AppError } from '@parley/kit';

export interface FairQueueSettings {
  /** Tasks that run at once. */
  atOnce: number;
  /** Tasks of one key that may wait. */
  longestPerKey: number;
  /** Tasks that may wait in all. */
  longest: number;
}

interface Waiting {
  signal: AbortSignal;
  start(): Promise<void>;
  refuse(reason: unknown): void;
}

/** Runs tasks a few at a time, the keys that wait taking turns: whoever has one task waits for one of each other key. */
export class FairQueue {
  readonly #settings: FairQueueSettings;
  /** In the order of their turns. */
  readonly #waiting = new Map<string, Waiting[]>();
  #size = 0;
  #running = 0;

  constructor(settings: FairQueueSettings) {
    this.#settings = settings;
  }

  /** @throws AppError RESOURCE_EXHAUSTED where too many wait; the signal's reason where the caller has gone meanwhile. */
  run<T>(key: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
    const { longest, longestPerKey } = this.#settings;
    const own = this.#waiting.get(key) ?? [];
    if (this.#size >= longest || own.length >= longestPerKey) {
      const message = 'too many sign-ins at once: try again';
      return Promise.reject(new AppError('RESOURCE_EXHAUSTED', message, { retryAfterMs: 1000 }));
    }
    return new Promise<T>((resolve, reject) => {
      own.push({ signal, start: () => task().then(resolve, reject), refuse: reject });
      this.#waiting.set(key, own);
      this.#size++;
      this.#next();
    });
  }

  #next(): void {
    while (this.#running < this.#settings.atOnce) {
      const turn = this.#waiting.entries().next().value;
      if (turn === undefined) return;
      const [key, own] = turn;
      this.#waiting.delete(key);
      const task = own.shift() as Waiting;
      this.#size--;
      if (own.length > 0) this.#waiting.set(key, own); // To the end: the others' turn.
      if (task.signal.aborted) {
        task.refuse(task.signal.reason);
        continue;
      }
      this.#running++;
      void task.start().then(() => {
        this.#running--;
        this.#next();
      });
    }
  }
}
