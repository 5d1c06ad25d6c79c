/** One member's stream of one room: JoinRoom and Subscribe. */
import { AppError, type Caller } from '@parley/kit';
import type { Feed } from '../delivery/feed.ts';
import type { Place, Subscriber } from '../delivery/subscriber.ts';
import type { Lost, Position } from '../log/log.ts';
import { formatCursor } from '../messages/cursor.ts';
import type { OpenStream } from '../people/streams.ts';
import { type Actor, whyNotRead } from '../rooms/access.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { absent } from '../rooms/rooms.ts';
import { batchFrame } from './codecs.ts';
import type { Start } from './read-streams.ts';
import type { StreamOutlet } from './stream-outlet.ts';

export interface RoomStreamSettings {
  form: 'single' | 'batch';
  feed: Feed;
  actor: Actor;
  caller: Caller;
  outlet: StreamOutlet;
  movable: boolean;
  /** Live texts of his own are left out after this sequence; undefined: none are. */
  withoutOwnAfter: number | undefined;
}

export class RoomStream implements Subscriber, OpenStream {
  readonly form: 'single' | 'batch';
  readonly outlet: StreamOutlet;
  readonly without: Subscriber['without'];
  readonly movable: boolean;
  readonly caller: Caller;
  readonly #feed: Feed;
  readonly #actor: Actor;
  #place: Place | undefined;
  readonly #ended: Promise<AppError>;
  #end!: (error: AppError) => void;

  constructor({ form, feed, actor, caller, outlet, movable, withoutOwnAfter }: RoomStreamSettings) {
    this.form = form;
    this.outlet = outlet;
    this.movable = movable;
    this.caller = caller;
    this.#feed = feed;
    this.#actor = actor;
    this.without = withoutOwnAfter === undefined ? undefined : { userId: actor.userId, after: withoutOwnAfter };
    this.#ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  /** Everything from the start on, until it ends. @throws AppError always: how it ended, with the cursor in its trailer. */
  async run({ sequence, lost }: Start, signal: AbortSignal, afterHistory: Buffer | undefined): Promise<never> {
    this.#place = this.#feed.attach(this, sequence, lost !== undefined, afterHistory);
    this.recordChanged(this.#feed.record);
    const abort = () => this.end(signal.reason as AppError);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const error = await this.#ended;
    signal.removeEventListener('abort', abort);
    const cursor = formatCursor(this.#feed.positionOf(this.#place));
    this.#feed.detach(this.#place);
    if (error.code !== 'CANCELLED' && this.form === 'batch') {
      this.outlet.write(batchFrame({ room_id: this.#feed.roomId, closed: { code: error.code, cursor } }));
    }
    this.outlet.close();
    throw withCursor(error, cursor);
  }

  lost(reason: Lost, head: Position): boolean {
    if (this.form === 'batch') {
      const opened = { cursor: formatCursor(head), resumed: false, history_lost: `HISTORY_LOST_${reason}` as const };
      this.outlet.write(batchFrame({ room_id: this.#feed.roomId, opened }));
      return true;
    }
    this.end(new AppError('UNAVAILABLE', 'history was lost: join again', { retryAfterMs: 0, reason: 'HISTORY_LOST' }));
    return false;
  }

  recordChanged(record: RoomRecord | undefined): void {
    if (record === undefined) this.end(absent(this.#feed.roomId));
    else {
      const unreadable = whyNotRead(record, this.#actor);
      if (unreadable) this.end(unreadable);
    }
  }

  memberRemoved(userId: string): void {
    if (userId === this.#actor.userId) {
      this.end(
        new AppError('PERMISSION_DENIED', `you were removed from room ${this.#feed.roomId}`, { reason: 'REMOVED' }),
      );
    }
  }

  typing(): void {}

  end(error: AppError): void {
    this.#end(error);
  }
}

export function withCursor(error: AppError, cursor: string): AppError {
  if (!(error instanceof AppError)) return error;
  const trailers = { ...error.details.trailers, 'parley-cursor': cursor };
  return new AppError(error.code, error.message, { ...error.details, trailers });
}
