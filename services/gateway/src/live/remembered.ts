const rememberedMs = 5000;
const mostRemembered = 10_000;

/** Answers that are good for 5 s; who asks for the same at the same time shares the question. */
export class Remembered<T> {
  /** In the order in which they cease to be good. */
  readonly #known = new Map<string, { until: number; answer: Promise<T> }>();

  get size(): number {
    return this.#known.size;
  }

  get(key: string, ask: () => Promise<T>): Promise<T> {
    this.#forgetOld();
    let known = this.#known.get(key);
    if (known === undefined) {
      if (this.#known.size >= mostRemembered) this.#known.clear();
      known = { until: Date.now() + rememberedMs, answer: ask() };
      this.#known.set(key, known);
      known.answer.catch(() => this.#known.delete(key));
    }
    return known.answer;
  }

  #forgetOld(): void {
    for (const [key, { until }] of this.#known) {
      if (until >= Date.now()) return;
      this.#known.delete(key);
    }
  }
}
