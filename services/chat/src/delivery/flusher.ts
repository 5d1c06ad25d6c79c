/** When what has come is handed on: at once while it is quiet, every two milliseconds under load. One for all rooms of a pod. */
const flushEveryMs = 2;

export interface Flushed {
  flush(): void;
}

export class Flusher {
  #waiting = new Set<Flushed>();
  #flushedAt = 0;
  #scheduled = false;

  soon(room: Flushed): void {
    this.#waiting.add(room);
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = flushEveryMs - (performance.now() - this.#flushedAt);
    // What comes in the same turn of the event loop travels together either way.
    if (wait <= 0) setImmediate(this.#flush);
    else setTimeout(this.#flush, wait);
  }

  readonly #flush = (): void => {
    this.#scheduled = false;
    this.#flushedAt = performance.now();
    const rooms = this.#waiting;
    this.#waiting = new Set();
    for (const room of rooms) room.flush();
  };
}
