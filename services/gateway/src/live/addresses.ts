import { AppError, addressOf } from '@parley/kit';

/** How many viewers each address has open, so that one cannot take the place of all others. */
export class Addresses {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** @throws AppError RESOURCE_EXHAUSTED where the address has as many as it may */
  check(peer: string): void {
    if ((this.#open.get(addressOf(peer)) ?? 0) < this.#most) return;
    throw new AppError('RESOURCE_EXHAUSTED', `at most ${this.#most} open connections are allowed from one address`, {
      retryAfterMs: 5000,
    });
  }

  /** Counts one more. @returns what to call when it has gone */
  enter(peer: string): () => void {
    const address = addressOf(peer);
    this.#open.set(address, (this.#open.get(address) ?? 0) + 1);
    return () => {
      const left = (this.#open.get(address) ?? 1) - 1;
      if (left > 0) this.#open.set(address, left);
      else this.#open.delete(address);
    };
  }
}
