import { Heap } from './heap.ts';

/**
 * Smooth weighted round robin with an exact bound: after any number of picks t, every entry with weight w of a total W
 * has been picked between w·t/W − 1 and w·t/W + 1 times, exclusive. So in any window its share is off by less than 2,
 * whatever the weights and however many entries.
 *
 * It is Tijdeman's solution of the chairman assignment problem (Discrete Mathematics 32, 1980), also known as Pfair
 * scheduling: pick number j of an entry may happen from slot ⌊j·W/w⌋ on and must happen before slot ⌈(j+1)·W/w⌉; of
 * those that may, the earliest deadline goes first. Two heaps make that O(log n) a pick. (nginx's smooth round robin
 * is O(n) a pick and has no such bound; a heap of virtual deadlines without release times was off by up to 80 in 100.)
 *
 * The schedule starts at a random slot, so that many clients that start at once, or make few calls each, together still
 * follow the weights instead of all beginning with the same entry.
 */
export class Schedule {
  readonly #weights: number[];
  readonly #total: number;
  readonly #picked: number[];
  /** Entries that may be picked now, by deadline. */
  readonly #eligible: Heap;
  /** Entries that were picked ahead of their share, by the slot from which they may be picked again. */
  readonly #waiting: Heap;
  #slot: number;

  /**
   * @param weights positive integers, one an entry; their sum times the largest must stay below 2^53
   * @param random where to start, in [0, 1)
   */
  constructor(weights: readonly number[], random: () => number = Math.random) {
    const divisor = weights.reduce(gcd, 0);
    this.#weights = weights.map((weight) => weight / divisor);
    this.#total = this.#weights.reduce((sum, weight) => sum + weight, 0);
    this.#eligible = new Heap(weights.length);
    this.#waiting = new Heap(weights.length);
    this.#slot = Math.floor(random() * this.#total);
    this.#picked = this.#pickedBefore(this.#slot);
    this.#fill();
  }

  /** The index of the entry to use next. O(log n). */
  next(): number {
    if (this.#weights.length === 1) return 0;
    while (this.#waiting.size > 0 && this.#waiting.smallest <= this.#slot) {
      const entry = this.#waiting.pop();
      this.#eligible.push(entry, this.#deadline(entry));
    }
    const entry = this.#eligible.pop();
    this.#picked[entry]! += 1;
    this.#waiting.push(entry, this.#release(entry));
    this.#slot += 1;
    if (this.#slot === this.#total) this.#restart();
    return entry;
  }

  #release(entry: number): number {
    return Math.floor((this.#picked[entry]! * this.#total) / this.#weights[entry]!);
  }

  #deadline(entry: number): number {
    return Math.ceil(((this.#picked[entry]! + 1) * this.#total) / this.#weights[entry]!);
  }

  /** After W slots everyone has exactly his weight, and the same begins again: numbers stay small for ever. */
  #restart(): void {
    this.#slot = 0;
    this.#picked.fill(0);
    this.#eligible.clear();
    this.#waiting.clear();
    this.#fill();
  }

  #fill(): void {
    for (let entry = 0; entry < this.#weights.length; entry++) this.#waiting.push(entry, this.#release(entry));
  }

  /**
   * A state from which the bound holds at this slot: everything due is done, and of the picks under way those with the
   * earliest deadlines are (any valid schedule can be turned into that one by exchanging picks).
   */
  #pickedBefore(slot: number): number[] {
    const picked = this.#weights.map((weight) => Math.floor((weight * slot) / this.#total));
    const underWay = picked
      .map((_, entry) => entry)
      .filter((entry) => (this.#weights[entry]! * slot) % this.#total > 0);
    const deadline = (entry: number) => Math.ceil(((picked[entry]! + 1) * this.#total) / this.#weights[entry]!);
    const missing = slot - picked.reduce((sum, count) => sum + count, 0);
    const order = underWay.sort((a, b) => deadline(a) - deadline(b)).slice(0, missing);
    for (const entry of order) picked[entry]! += 1;
    return picked;
  }
}

function gcd(a: number, b: number): number {
  while (b > 0) [a, b] = [b, a % b];
  return a;
}
