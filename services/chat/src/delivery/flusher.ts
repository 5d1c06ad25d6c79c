/**
 * When what has come is handed on: at once while it is quiet, in batches under load. One for all rooms of a pod.
 * A batch costs about the same however many messages are in it, so that the pause after one is twice as long as the batch
 * took: a pod that has much to do hands on less often, and spends less on each message. What it has left it needs to take
 * and answer sends, without which there is nothing to hand on.
 */
const pauseFactor = 2;
const leastPauseMs = 1;
const mostPauseMs = 20;

export interface Flushed {
  flush(): void;
}

export class Flusher {
  #waiting = new Set<Flushed>();
  #scheduled = false;
  /** When the next batch may go. */
  #dueAt = 0;
  #startedAt = 0;

  soon(room: Flushed): void {
    this.#waiting.add(room);
    if (!this.#scheduled) this.#schedule();
  }

  #schedule(): void {
    this.#scheduled = true;
    const wait = this.#dueAt - performance.now();
    // What was announced together travels together either way. Now, and not in the check phase: HTTP/2 sends what is there
    // when that begins, and what is written later a turn of the event loop later.
    if (wait <= 0.5) process.nextTick(this.#flush);
    else setTimeout(this.#flush, wait);
  }

  readonly #flush = (): void => {
    this.#startedAt = performance.now();
    const rooms = this.#waiting;
    this.#waiting = new Set();
    // HTTP/2 sends what is written before this is called: it counts too.
    setImmediate(this.#flushed);
    for (const room of rooms) room.flush();
  };

  readonly #flushed = (): void => {
    const now = performance.now();
    this.#dueAt = now + Math.min(mostPauseMs, Math.max(leastPauseMs, pauseFactor * (now - this.#startedAt)));
    this.#scheduled = false;
    if (this.#waiting.size > 0) this.#schedule();
  };
}
