/** The viewers on a room's live feed: what comes is handed on at once, and in batches when much comes. */
import type { Opened__Output } from '@parley/proto/chat/Opened';
import type { Typing__Output } from '@parley/proto/chat/Typing';
import { Batch, type Entry } from './entry.ts';
import type { Subscription } from './subscription.ts';

/** Under load a viewer gets a frame per so many milliseconds; an idle room delivers at once. */
const flushEveryMs = 2;

export class Audience {
  readonly #roomId: string;
  readonly #live = new Set<Subscription>();
  #waiting: Entry[] = [];
  #flushedAt = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(roomId: string) {
    this.#roomId = roomId;
  }

  /** @param skipTo what he has of the feed already: a page that was read may have been ahead of it */
  add(subscription: Subscription, skipTo: number): void {
    subscription.skipTo = skipTo;
    this.#live.add(subscription);
  }

  delete(subscription: Subscription): void {
    this.#live.delete(subscription);
  }

  push(entry: Entry): void {
    this.#waiting.push(entry);
  }

  /** Delivers what waits, now or when the last delivery is long enough ago. */
  flushSoon(): void {
    if (this.#timer || this.#waiting.length === 0) return;
    if (performance.now() - this.#flushedAt >= flushEveryMs) this.flush();
    else this.#timer = setTimeout(() => this.flush(), flushEveryMs);
  }

  flush(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    if (this.#waiting.length === 0) return;
    this.#flushedAt = performance.now();
    const batch = new Batch(this.#roomId, this.#waiting);
    this.#waiting = [];
    const first = batch.entries[0]!.sequence;
    for (const { skipTo, viewer } of this.#live) {
      if (skipTo < first) viewer.deliver(batch);
      else {
        const rest = batch.after(skipTo);
        if (rest.entries.length > 0) viewer.deliver(rest);
      }
    }
  }

  /** The log begins anew: what viewers have of the old one says nothing of this one. */
  restart(opened?: Opened__Output): void {
    for (const subscription of this.#live) {
      subscription.skipTo = 0;
      if (opened) subscription.viewer.opened(this.#roomId, { ...opened, resumed: false });
    }
  }

  typing(typing: Typing__Output): void {
    for (const { viewer, member } of this.#live) if (member.userId !== typing.user_id) viewer.typing(typing);
  }

  dispose(): void {
    clearTimeout(this.#timer);
  }
}
