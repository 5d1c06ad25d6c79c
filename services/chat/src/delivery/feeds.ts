/** The feeds of a pod: opened by the first who wants a room, shared, and closed a while after the last has gone. */
import { Feed, type FeedParts } from './feed.ts';

/** A room stays warm for whoever comes back. */
const lingerMs = 10_000;

interface Kept {
  feed: Promise<Feed>;
  users: number;
  closing: NodeJS.Timeout | undefined;
}

/** A feed that somebody uses. Give it back once. */
export interface Use {
  feed: Feed;
  release(): void;
}

export class Feeds implements AsyncDisposable {
  readonly #parts: FeedParts;
  readonly #kept = new Map<string, Kept>();

  constructor(parts: FeedParts) {
    this.#parts = parts;
  }

  /** The room's feed. @throws AppError NOT_FOUND, UNAVAILABLE. */
  async use(roomId: string): Promise<Use> {
    let kept = this.#kept.get(roomId);
    if (kept === undefined) {
      kept = { feed: Feed.open(roomId, this.#parts), users: 0, closing: undefined };
      this.#kept.set(roomId, kept);
      this.#parts.metrics.feeds(this.#kept.size);
    }
    const mine = kept;
    mine.users++;
    clearTimeout(mine.closing);
    try {
      const feed = await mine.feed;
      let released = false;
      return {
        feed,
        release: () => {
          if (released) return;
          released = true;
          this.#release(roomId, mine);
        },
      };
    } catch (error) {
      if (this.#kept.get(roomId) === mine) this.#kept.delete(roomId);
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const all = [...this.#kept.values()];
    this.#kept.clear();
    for (const { closing } of all) clearTimeout(closing);
    await Promise.all(all.map(async ({ feed }) => (await feed.catch(() => undefined))?.close()));
  }

  /** Forgets a room that is gone: whoever wants it next begins anew. */
  forget(roomId: string): void {
    const kept = this.#kept.get(roomId);
    if (kept === undefined) return;
    this.#kept.delete(roomId);
    clearTimeout(kept.closing);
    void this.#close(kept);
  }

  #release(roomId: string, kept: Kept): void {
    if (--kept.users > 0 || this.#kept.get(roomId) !== kept) return;
    kept.closing = setTimeout(() => this.forget(roomId), lingerMs);
    kept.closing.unref();
  }

  async #close({ feed }: Kept): Promise<void> {
    try {
      await (await feed).close();
    } catch (err) {
      this.#parts.logger.warn({ err: String(err) }, 'room.not_closed');
    } finally {
      this.#parts.metrics.feeds(this.#kept.size);
    }
  }
}
