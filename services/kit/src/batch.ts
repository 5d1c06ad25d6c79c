/** Concurrent calls travel as one statement: a commit, or a round trip, per call is what limits throughput. */
import { AppError } from './errors.ts';

/** An answer a call, in the order of the calls; an AppError is that call's own failure. */
export type RunBatch<I, O> = (inputs: I[]) => Promise<(O | AppError)[]>;

export interface BatchSettings {
  /** Calls in one statement at most. */
  largest: number;
  /** Statements under way at once; calls gather while all of them are. */
  parallel: number;
  /** Calls that may wait; the next one is refused. */
  longestQueue: number;
  /** Told the size of every batch. */
  observe?: (size: number) => void;
}

interface Waiting<I, O> {
  input: I;
  resolve(output: O): void;
  reject(error: unknown): void;
}

/**
 * Gathers calls. An idle one goes out at the end of the current turn of the event loop, so that a lone call hardly
 * waits; under load, batches grow by themselves to what arrives during a round trip.
 */
export class Batch<I, O> {
  readonly #run: RunBatch<I, O>;
  readonly #settings: BatchSettings;
  #queue: Waiting<I, O>[] = [];
  #underWay = 0;
  #scheduled = false;

  constructor(run: RunBatch<I, O>, settings: BatchSettings) {
    this.#run = run;
    this.#settings = settings;
  }

  /** @throws AppError RESOURCE_EXHAUSTED where too many calls wait, and whatever the call itself ends with. */
  call(input: I): Promise<O> {
    if (this.#queue.length >= this.#settings.longestQueue) {
      const message = 'too many calls wait for the database: try again';
      return Promise.reject(new AppError('RESOURCE_EXHAUSTED', message, { retryAfterMs: 500 }));
    }
    return new Promise((resolve, reject) => {
      this.#queue.push({ input, resolve, reject });
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#scheduled || this.#underWay >= this.#settings.parallel) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#queue.length > 0) void this.#send();
    });
  }

  async #send(): Promise<void> {
    const batch = this.#queue.splice(0, this.#settings.largest);
    this.#underWay++;
    this.#settings.observe?.(batch.length);
    await this.#answer(batch);
    this.#underWay--;
    if (this.#queue.length > 0) this.#schedule();
  }

  async #answer(batch: Waiting<I, O>[]): Promise<void> {
    try {
      const outputs = await this.#run(batch.map(({ input }) => input));
      batch.forEach(({ resolve, reject }, i) => {
        const output = outputs[i] as O | AppError;
        if (output instanceof AppError) reject(output);
        else resolve(output);
      });
    } catch (error) {
      // A database that is away fails them all; a statement that failed may be the fault of one: each goes alone.
      const ofAll = error instanceof AppError && error.code !== 'INVALID_ARGUMENT';
      if (ofAll || batch.length === 1) for (const { reject } of batch) reject(error);
      else for (const one of batch) await this.#answer([one]);
    }
  }
}
