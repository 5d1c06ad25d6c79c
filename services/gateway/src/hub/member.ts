/** A member whose viewers look at a room through this gateway: chat counts him once, and says whether he may. */
import { AppError } from '@parley/kit';
import { formatCursor } from './position.ts';
import { isPassing, type Room } from './room.ts';
import type { Subscription } from './subscription.ts';
import type { Stream } from './upstream.ts';

export class Member {
  readonly room: Room;
  readonly userId: string;
  readonly username: string;
  readonly subscriptions = new Set<Subscription>();
  /** Chat has let him in: present, or looking only. */
  #entered: 'present' | 'observing' | undefined;
  #entering: { present: boolean; done: Promise<void> } | undefined;
  /** How he is to be let in again after the stream was lost. */
  #before: 'present' | 'observing' | undefined;
  #closing: { stream: Stream; ref: string } | undefined;

  constructor(room: Room, userId: string, username: string) {
    this.room = room;
    this.userId = userId;
    this.username = username;
  }

  /**
   * Resolves when chat has let him in.
   * @param after where the feed is to begin if it is not open yet
   * @throws AppError as chat says it: PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED, …
   */
  enter(observe: boolean, after: string): Promise<void> {
    const before = this.#entered ?? this.#before;
    if (before === 'present' || (before === 'observing' && observe)) return Promise.resolve();
    if (this.#entering && (this.#entering.present || observe)) return this.#entering.done;
    const entering = { present: !observe, done: this.#askAgain(observe, after) };
    this.#entering = entering;
    const settled = () => {
      if (this.#entering === entering) this.#entering = undefined;
    };
    entering.done.then(settled, settled);
    return entering.done;
  }

  /** A viewer of his has gone. */
  drop(subscription: Subscription): void {
    this.subscriptions.delete(subscription);
    if (this.subscriptions.size > 0) return;
    this.#forgetClosing();
    this.room.forget(this);
  }

  lost(): void {
    this.#before = this.#entered ?? this.#before;
    this.#entered = undefined;
    this.#forgetClosing();
  }

  /** Enters again as he was before. */
  resume(): void {
    const before = this.#before;
    if (before === undefined || this.#entered) return;
    this.#ask(before === 'observing', '').catch((error: AppError) => {
      if (this.subscriptions.size === 0) return;
      // Full is an answer, here: others have taken the place.
      if (isPassing(error.code) && error.code !== 'RESOURCE_EXHAUSTED') this.room.resumeLater();
      else this.room.dismiss(this, { code: error.code, cursor: formatCursor(this.room.head) });
    });
  }

  /** Another member's leaving may close the room's feed in the very moment: then it is opened anew. */
  async #askAgain(observe: boolean, after: string): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#ask(observe, after);
      } catch (error) {
        const { code } = error as AppError;
        if (attempt === 3 || (code !== 'INTERNAL' && code !== 'ABORTED')) throw error;
      }
    }
  }

  #ask(observe: boolean, first: string): Promise<void> {
    let after = first;
    return new Promise((resolve, reject) => {
      this.room.upstream.ask({
        frame: () => {
          after = formatCursor(this.room.head) || first;
          return {
            subscribe: { room_id: this.room.id, user_id: this.userId, username: this.username, after, observe },
          };
        },
        answered: ({ event }, stream, ref) => {
          if (event?.opened && !this.room.opened(stream, event.opened, after)) {
            reject(new AppError('ABORTED', 'the room is opened again: try again'));
            return;
          }
          this.#entered = observe ? 'observing' : 'present';
          this.#before = undefined;
          this.#forgetClosing();
          this.#closing = { stream, ref };
          if (this.subscriptions.size === 0) {
            this.room.abandon(stream, this);
            resolve();
            return;
          }
          stream.closings.set(ref, (closed) => this.#closed(closed));
          resolve();
        },
        failed: reject,
      });
    });
  }

  #closed(closed: { code: string; cursor: string }): void {
    this.#forgetClosing();
    if (!isPassing(closed.code)) {
      this.room.dismiss(this, closed);
      return;
    }
    this.lost();
    this.room.resumeLater();
  }

  #forgetClosing(): void {
    this.#closing?.stream.closings.delete(this.#closing.ref);
    this.#closing = undefined;
  }
}
