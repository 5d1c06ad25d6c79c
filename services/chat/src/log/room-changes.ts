/** Which rooms have changed, told to all pods in batches: once a second at most, off the path of the messages. */
export const announceEveryMs = 1000;

type Listener = (roomIds: string[] | undefined) => void;

export class RoomChanges implements Disposable {
  readonly #publish: (roomIds: string[]) => Promise<void>;
  readonly #listeners = new Set<{ listener: Listener }>();
  readonly #changed = new Set<string>();
  #timer: NodeJS.Timeout | undefined;
  #publishedAt = 0;

  /** `publish` tells every pod, this one included. */
  constructor(publish: (roomIds: string[]) => Promise<void>) {
    this.#publish = publish;
  }

  /** Notes a change that this pod has made: told at once after a quiet second, else with the second's others. */
  touch(roomId: string): void {
    this.#changed.add(roomId);
    if (this.#timer) return;
    const waitMs = Math.max(0, this.#publishedAt + announceEveryMs - performance.now());
    this.#timer = setTimeout(() => void this.#flush(), waitMs).unref();
  }

  async #flush(): Promise<void> {
    this.#timer = undefined;
    this.#publishedAt = performance.now();
    const changed = [...this.#changed];
    this.#changed.clear();
    try {
      await this.#publish(changed);
    } catch {
      // The store is away: kept for later.
      if (!this.#disposed) for (const roomId of changed) this.touch(roomId);
    }
  }

  follow(listener: Listener): AsyncDisposable {
    const entry = { listener };
    this.#listeners.add(entry);
    return {
      [Symbol.asyncDispose]: async () => {
        this.#listeners.delete(entry);
      },
    };
  }

  /** Hands on what some pod has told; undefined: something may have been missed. */
  tell(roomIds: string[] | undefined): void {
    for (const { listener } of this.#listeners) listener(roomIds);
  }

  #disposed = false;
  [Symbol.dispose](): void {
    this.#disposed = true;
    clearTimeout(this.#timer);
  }
}
