/** A token bucket: so many a second over a longer time, twice as many at once. */
export class Budget {
  readonly #perSecond: number;
  readonly #most: number;
  #left: number;
  #at = performance.now();

  constructor(perSecond: number) {
    this.#perSecond = perSecond;
    this.#most = 2 * perSecond;
    this.#left = this.#most;
  }

  /** Takes one. @returns 0, or in how many milliseconds there will be one */
  take(): number {
    const now = performance.now();
    this.#left = Math.min(this.#most, this.#left + ((now - this.#at) / 1000) * this.#perSecond);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) / this.#perSecond) * 1000);
    this.#left--;
    return 0;
  }
}
