/** A binary heap of entries 0 … capacity − 1, each at most once, smallest key first; equal keys in order of entry. */
export class Heap {
  size = 0;
  readonly #entries: Int32Array;
  readonly #keys: Float64Array;

  constructor(capacity: number) {
    this.#entries = new Int32Array(capacity);
    this.#keys = new Float64Array(capacity);
  }

  /** The smallest key; undefined behaviour when empty. */
  get smallest(): number {
    return this.#keys[0]!;
  }

  clear(): void {
    this.size = 0;
  }

  push(entry: number, key: number): void {
    let hole = this.size++;
    while (hole > 0) {
      const parent = (hole - 1) >> 1;
      if (!this.#before(key, entry, parent)) break;
      this.#move(parent, hole);
      hole = parent;
    }
    this.#entries[hole] = entry;
    this.#keys[hole] = key;
  }

  /** Takes the entry with the smallest key; the heap must not be empty. */
  pop(): number {
    const top = this.#entries[0]!;
    this.size -= 1;
    const entry = this.#entries[this.size]!;
    const key = this.#keys[this.size]!;
    let hole = 0;
    for (;;) {
      let child = 2 * hole + 1;
      if (child >= this.size) break;
      if (child + 1 < this.size && this.#before(this.#keys[child + 1]!, this.#entries[child + 1]!, child)) child += 1;
      if (this.#before(key, entry, child)) break;
      this.#move(child, hole);
      hole = child;
    }
    this.#entries[hole] = entry;
    this.#keys[hole] = key;
    return top;
  }

  #before(key: number, entry: number, place: number): boolean {
    const other = this.#keys[place]!;
    return key < other || (key === other && entry < this.#entries[place]!);
  }

  #move(from: number, to: number): void {
    this.#entries[to] = this.#entries[from]!;
    this.#keys[to] = this.#keys[from]!;
  }
}
