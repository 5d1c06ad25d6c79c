/**
 * A room as this pod follows it: one reader of the log for however many subscribers. What is announced goes to the
 * timeline; where something is missing the log is read. Its readers get what comes after their places, so that between
 * history and live there is neither gap nor repeat.
 */
import { type Logger, unavailable } from '@parley/kit';
import { withoutContent } from '../log/codec.ts';
import type { Announcement, ChatLog, Entry, Lost, Position, Slice } from '../log/log.ts';
import { formatCursor } from '../messages/cursor.ts';
import { removedTarget } from '../messages/removed.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { absent, type Rooms } from '../rooms/rooms.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import type { Flushed, Flusher } from './flusher.ts';
import { beginningOf, type Followed, Readers } from './readers.ts';
import type { Place, Subscriber } from './subscriber.ts';
import { Timeline } from './timeline.ts';

export interface FeedParts {
  log: ChatLog;
  rooms: Rooms;
  flusher: Flusher;
  logger: Logger;
  metrics: DeliveryMetrics;
  /** The highest position that was seen of a room. */
  seen(roomId: string, position: Position): void;
  /** The room's log is another one now, or the room is, which knows nobody. */
  restarted(roomId: string): void;
  /** A member was sent away. */
  removed(roomId: string, userId: string): void;
  /** The room is gone. */
  gone(roomId: string): void;
}

const pageEntries = 500;
const retryMs = [50, 100, 200, 500, 1000];
/** How long an announcement may take before the log is asked. */
const patienceMs = 100;

export class Feed implements Followed, Flushed {
  readonly roomId: string;
  readonly #parts: FeedParts;
  readonly #readers: Readers;
  #record: RoomRecord;
  #timeline: Timeline;
  #following: AsyncDisposable | undefined;
  #refreshing: Promise<void> | undefined;
  #again = false;
  #waiting: { sequence: number; epoch: string; reached: () => void }[] = [];
  #closed = false;

  private constructor(roomId: string, parts: FeedParts, record: RoomRecord, tail: Slice) {
    this.roomId = roomId;
    this.#parts = parts;
    this.#record = record;
    this.#timeline = new Timeline(tail, record.spec.historyOnJoin);
    this.#readers = new Readers(this, parts.metrics);
    parts.seen(roomId, tail.head);
  }

  /** Begins to follow a room. @throws AppError NOT_FOUND, UNAVAILABLE. */
  static async open(roomId: string, parts: FeedParts): Promise<Feed> {
    let feed: Feed | undefined;
    const early: Announcement[] = [];
    const following = await parts.log.follow(roomId, (announcement) => {
      if (feed) feed.#hear(announcement);
      else early.push(announcement);
    });
    try {
      const record = await parts.rooms.read(roomId);
      if (record === undefined) throw absent(roomId);
      const tail = await parts.log.tail(roomId, record.spec.historyOnJoin);
      feed = new Feed(roomId, parts, record, tail);
      feed.#following = following;
      for (const announcement of early) feed.#hear(announcement);
      return feed;
    } catch (error) {
      await following[Symbol.asyncDispose]();
      throw error;
    }
  }

  get record(): RoomRecord {
    return this.#record;
  }

  get timeline(): Timeline {
    return this.#timeline;
  }

  get head(): Position {
    return this.#timeline.head;
  }

  get closed(): boolean {
    return this.#closed;
  }

  get subscribers(): number {
    return this.#readers.size;
  }

  /** Resolves when everything up to a position is here, or the log is another one by now. */
  async reach({ epoch, sequence }: Position): Promise<void> {
    if (this.#has(epoch, sequence)) return;
    const waiting = { epoch, sequence, reached: (): void => undefined };
    const heard = new Promise<'heard'>((resolve) => {
      waiting.reached = () => resolve('heard');
    });
    this.#waiting.push(waiting);
    let timer: NodeJS.Timeout | undefined;
    const patience = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), patienceMs);
    });
    const first = await Promise.race([heard, patience]);
    clearTimeout(timer);
    this.#waiting = this.#waiting.filter((one) => one !== waiting);
    if (first === 'late' && !this.#has(epoch, sequence)) await this.refresh();
  }

  /** Where the usual history begins. */
  async historyStart(): Promise<number> {
    const texts = this.#record.spec.historyOnJoin;
    this.#forgetTrimmed();
    if (texts > this.#timeline.atLeastTexts) await this.#load(texts);
    return this.#timeline.beforeTexts(texts);
  }

  /** Whether what comes after a sequence ends, for now, with a JOIN of the user. */
  endsWithJoin(userId: string, after: number): boolean {
    const last = this.#timeline.after(after).at(-1);
    return last?.type === 'JOIN' && last.senderId === userId;
  }

  /** Where a subscriber goes on who has everything up to a position. */
  async locate(after: Position): Promise<{ sequence: number; lost?: Lost }> {
    this.#forgetTrimmed();
    for (;;) {
      const timeline = this.#timeline;
      if (after.epoch === timeline.epoch && timeline.hasAllAfter(after.sequence)) return { sequence: after.sequence };
      const slice = await this.#parts.log.read(this.roomId, after, 1);
      if (slice.head.epoch !== this.#timeline.epoch) {
        await this.refresh();
        continue;
      }
      if (slice.lost) return { sequence: beginningOf(slice), lost: slice.lost };
      await this.reach(after);
      return { sequence: after.sequence };
    }
  }

  /**
   * From now on the subscriber gets what comes after the sequence.
   * @param lost he knows that something before it is lost
   * @param closing written where what is there by now ends
   */
  attach(subscriber: Subscriber, sequence: number, lost = false, closing?: Buffer): Place {
    if (this.#closed) throw unavailable('the room is being closed: connect again', 0);
    return this.#readers.attach(subscriber, sequence, lost, closing);
  }

  detach(place: Place): void {
    this.#readers.detach(place);
  }

  /** Where a subscriber is: what his cursor says. */
  positionOf(place: Place): Position {
    return { epoch: place.epoch, sequence: place.sequence };
  }

  flush(): void {
    this.#readers.flush();
  }

  read(after: Position): Promise<Slice> {
    return this.#parts.log.read(this.roomId, after, pageEntries);
  }

  /** Reads what is missing and the record. Those who ask while it reads share the next time. */
  refresh(): Promise<void> {
    if (this.#refreshing) {
      this.#again = true;
      return this.#refreshing;
    }
    this.#refreshing = this.#refresh().finally(() => {
      this.#refreshing = undefined;
    });
    // Whoever waits for it hears of a failure; nobody may.
    this.#refreshing.catch(() => undefined);
    return this.#refreshing;
  }

  async close(): Promise<void> {
    this.#closed = true;
    for (const { reached } of this.#waiting) reached();
    await this.#following?.[Symbol.asyncDispose]();
  }

  #hear(announcement: Announcement): void {
    if (this.#closed) return;
    switch (announcement.kind) {
      case 'entries': {
        const taken = this.#timeline.announced(announcement.epoch, announcement.entries);
        if (taken === 'taken') this.#grown(announcement.entries);
        else if (taken !== 'nothing-new') void this.#refreshUntilDone();
        break;
      }
      case 'record':
        if (announcement.version !== this.#record.version) void this.#refreshUntilDone();
        break;
      case 'uncertain':
        void this.#refreshUntilDone();
        break;
      case 'member-removed':
        for (const subscriber of this.#readers.subscribers()) subscriber.memberRemoved(announcement.userId);
        this.#parts.removed(this.roomId, announcement.userId);
        break;
      case 'typing':
        for (const subscriber of this.#readers.subscribers())
          subscriber.typing(announcement.userId, announcement.username);
        break;
    }
  }

  /** Readers keep what they have while the store is away, and catch up when it is back. */
  async #refreshUntilDone(): Promise<void> {
    for (let attempt = 0; !this.#closed; attempt++) {
      try {
        return await this.refresh();
      } catch (err) {
        if (attempt === 0) this.#parts.logger.warn({ room: this.roomId, err: String(err) }, 'room.not_read');
        await new Promise((resolve) => setTimeout(resolve, retryMs[Math.min(attempt, retryMs.length - 1)]));
      }
    }
  }

  async #refresh(): Promise<void> {
    do {
      this.#again = false;
      const record = await this.#parts.rooms.read(this.roomId);
      if (record === undefined) {
        this.#gone();
        return;
      }
      this.#accept(record);
      await this.#readOn();
    } while (this.#again && !this.#closed);
  }

  async #readOn(): Promise<void> {
    for (;;) {
      const timeline = this.#timeline;
      const from = timeline.head;
      const slice = await this.read(from);
      if (this.#timeline !== timeline || this.#closed) return;
      if (slice.lost === 'EPOCH_CHANGED' && slice.head.epoch === timeline.epoch) {
        await this.#beginEpoch(from);
        await this.#restart('EPOCH_CHANGED', await this.read({ ...from, sequence: 0 }));
        return;
      }
      if (slice.lost || slice.head.epoch !== timeline.epoch) {
        await this.#restart(slice.lost ?? 'EPOCH_CHANGED', slice);
        return;
      }
      if (timeline.read(from.sequence, slice) === 'taken') this.#grown(slice.entries);
      if (!slice.more) return;
    }
  }

  /** The log has lost its tail: it is another one from now on, before somebody writes over what was seen of it. */
  async #beginEpoch(seen: Position): Promise<void> {
    let { version } = this.#record;
    for (;;) {
      const step = await this.#parts.log.append(this.roomId, version, [], seen);
      if (step.kind !== 'stale') return;
      version = step.record.version;
    }
  }

  /** The log goes on without what is here. */
  async #restart(reason: Lost, slice: Slice): Promise<void> {
    this.flush();
    const tail = await this.#parts.log.tail(this.roomId, this.#record.spec.historyOnJoin);
    if (this.#closed) return;
    this.#parts.logger.warn({ room: this.roomId, reason, head: formatCursor(tail.head) }, 'room.history_lost');
    this.#timeline = new Timeline(tail, this.#record.spec.historyOnJoin);
    this.#parts.seen(this.roomId, tail.head);
    // What is kept begins in the slice, unless the log has been lost once more since.
    this.#readers.goOn(reason, tail.head, beginningOf(slice.head.epoch === tail.head.epoch ? slice : tail));
    this.#reached();
    if (reason === 'EPOCH_CHANGED') this.#parts.restarted(this.roomId);
  }

  /** For whoever comes: what the log has trimmed may still be here. */
  #forgetTrimmed(): void {
    const { maxMessages, maxAgeSeconds } = this.#record.spec;
    const sinceMs = maxAgeSeconds === 0 ? 0 : Date.now() - maxAgeSeconds * 1000;
    this.#timeline.forget(maxMessages, sinceMs, this.#readers.flushed);
  }

  async #load(texts: number): Promise<void> {
    const tail = await this.#parts.log.tail(this.roomId, texts);
    const timeline = this.#timeline;
    if (tail.head.epoch !== timeline.epoch || texts <= timeline.atLeastTexts) return;
    const loaded = new Timeline(tail, texts);
    // What was announced while the tail was read comes after it, or is the newer end.
    if (timeline.last > loaded.last && !timeline.covers(loaded.last)) return;
    if (timeline.last > loaded.last) loaded.announced(timeline.epoch, timeline.after(loaded.last));
    if (loaded.last < timeline.last) return;
    this.#timeline = loaded;
    if (loaded.last > timeline.last) this.#grown([]);
  }

  #accept(record: RoomRecord): void {
    const before = this.#record;
    if (record.version === before.version && record.createdAtMs === before.createdAtMs) return;
    this.#record = record;
    for (const subscriber of this.#readers.subscribers()) subscriber.recordChanged(record);
    // Deleted and made anew before this pod has looked: a history that was kept goes on, its members do not.
    if (record.createdAtMs !== before.createdAtMs) this.#parts.restarted(this.roomId);
  }

  #gone(): void {
    for (const subscriber of this.#readers.subscribers()) subscriber.recordChanged(undefined);
    this.#parts.gone(this.roomId);
  }

  #grown(entries: readonly Entry[]): void {
    for (const entry of entries) if (entry.type === 'REMOVED') this.#blank(entry);
    this.#parts.seen(this.roomId, this.#timeline.head);
    this.#parts.flusher.soon(this);
    this.#reached();
  }

  #blank(entry: Entry): void {
    this.#timeline.replace(removedTarget(entry.bytes), (found) => ({ ...found, bytes: withoutContent(found.bytes) }));
  }

  #reached(): void {
    if (this.#waiting.length === 0) return;
    for (const { epoch, sequence, reached } of this.#waiting) if (this.#has(epoch, sequence)) reached();
  }

  #has(epoch: string, sequence: number): boolean {
    return epoch !== this.#timeline.epoch || sequence <= this.#timeline.last;
  }
}
