/**
 * Everybody who reads a room through this pod. Each has a place: those at the end get what is new together, each form of it
 * put together once; those behind catch up, from memory or from the log, at their own pace and within a bound.
 */
import { AppError, unavailable } from '@parley/kit';
import type { Entry, Lost, Position, Slice } from '../log/log.ts';
import { type Form, framesOf } from '../messages/frames.ts';
import type { DeliveryMetrics } from './delivery-metrics.ts';
import { type Place, type Subscriber, tooSlow } from './subscriber.ts';
import type { Timeline } from './timeline.ts';

/** The room as its pod follows it. */
export interface Followed {
  readonly roomId: string;
  /** What the pod has of it now; another one when the log has changed. */
  readonly timeline: Timeline;
  /** A page of the log. */
  read(after: Position): Promise<Slice>;
  /** Reads what the timeline misses. */
  refresh(): Promise<void>;
}

/** What a reader who catches up gets in one go. */
const chunkBytes = 64 * 1024;

export class Readers {
  readonly #room: Followed;
  readonly #metrics: DeliveryMetrics;
  readonly #places = new Set<Place>();
  /** Up to here the flushes have come. */
  #flushed: number;

  constructor(room: Followed, metrics: DeliveryMetrics) {
    this.#room = room;
    this.#metrics = metrics;
    this.#flushed = room.timeline.last;
  }

  get size(): number {
    return this.#places.size;
  }

  /** Those at the end have everything up to here. */
  get flushed(): number {
    return this.#flushed;
  }

  /** A copy: what is told to them may make them leave. */
  subscribers(): Subscriber[] {
    return [...this.#places].map(({ subscriber }) => subscriber);
  }

  /** See Feed.attach. */
  attach(subscriber: Subscriber, sequence: number, lost: boolean, closing: Buffer | undefined): Place {
    const { epoch, last } = this.#room.timeline;
    const place: Place = {
      subscriber,
      epoch,
      sequence,
      closing: closing && { after: last, framed: closing },
      knowsLost: lost && sequence < last,
      catchingUp: false,
      wasLive: false,
      attached: true,
    };
    this.#places.add(place);
    if (sequence < last) this.#catchUp(place);
    else {
      this.#advance(place, [], sequence);
      place.wasLive = true;
    }
    return place;
  }

  detach(place: Place): void {
    place.attached = false;
    this.#places.delete(place);
  }

  /** Hands what is new to everybody who has the rest: each form is put together once. */
  flush(): void {
    const { timeline, roomId } = this.#room;
    const from = this.#flushed;
    const last = timeline.last;
    if (from >= last) return;
    this.#flushed = last;
    const entries = timeline.after(from);
    const senders = new Set<string>();
    for (const entry of entries) if (entry.type === 'TEXT') senders.add(entry.senderId);
    const frames: Partial<Record<Form, Buffer>> = {};
    let delivered = 0;
    for (const place of this.#places) {
      const { subscriber } = place;
      const { outlet, without, form } = subscriber;
      if (place.catchingUp) {
        if (place.wasLive) this.#checkPace(place);
        continue;
      }
      if (outlet.pendingBytes > outlet.holdBytes) {
        this.#catchUp(place);
        continue;
      }
      if (place.sequence !== from || (without !== undefined && senders.has(without.userId))) {
        if (place.sequence < last) this.#deliver(place, timeline.after(place.sequence));
      } else {
        let framed = frames[form];
        if (framed === undefined) {
          framed = framesOf(form, roomId, entries);
          frames[form] = framed;
        }
        outlet.write(framed);
        delivered += entries.length;
      }
      place.sequence = last;
    }
    this.#metrics.delivered(delivered);
  }

  /** The log goes on without what they have: each is told, and goes on with what is kept, which begins after a sequence. */
  goOn(reason: Lost, head: Position, after: number): void {
    const { last } = this.#room.timeline;
    this.#flushed = last;
    for (const place of [...this.#places]) {
      if (!place.subscriber.lost(reason, head)) {
        this.detach(place);
        continue;
      }
      place.epoch = head.epoch;
      place.knowsLost = after < last;
      if (place.closing) place.closing.after = last;
      this.#advance(place, [], after);
      place.wasLive = false;
      if (after < last) this.#catchUp(place);
    }
  }

  #catchUp(place: Place): void {
    if (place.catchingUp) return;
    place.catchingUp = true;
    if (this.#catchUpAtOnce(place)) return;
    this.#catchUpInPieces(place).catch((error: unknown) => {
      if (place.attached)
        place.subscriber.end(error instanceof AppError ? error : unavailable('the room cannot be read', 100, error));
    });
  }

  /** The usual case: all of it is here, and there is room for it. True when he is at the end. */
  #catchUpAtOnce(place: Place): boolean {
    const { outlet } = place.subscriber;
    while (outlet.pendingBytes <= outlet.holdBytes) {
      const timeline = this.#room.timeline;
      if (!timeline.covers(place.sequence)) return false;
      const entries = timeline.after(place.sequence, chunkBytes);
      this.#advance(place, entries, entries.at(-1)?.sequence ?? timeline.last);
      if (place.sequence < timeline.last) continue;
      place.catchingUp = false;
      place.knowsLost = false;
      place.wasLive = true;
      return true;
    }
    return false;
  }

  async #catchUpInPieces(place: Place): Promise<void> {
    const { outlet } = place.subscriber;
    while (place.attached) {
      if (outlet.pendingBytes > outlet.holdBytes) {
        await new Promise<void>((resolve) => outlet.whenDrained(resolve));
        continue;
      }
      if (this.#catchUpAtOnce(place)) return;
      if (outlet.pendingBytes > outlet.holdBytes) continue;
      const timeline = this.#room.timeline;
      const from = { epoch: timeline.epoch, sequence: place.sequence };
      const slice = await this.#room.read(from);
      if (!place.attached) return;
      if (this.#room.timeline.epoch !== timeline.epoch || place.sequence !== from.sequence) continue;
      if (slice.head.epoch !== timeline.epoch) await this.#room.refresh();
      else if (slice.lost && !place.knowsLost) {
        if (!place.subscriber.lost(slice.lost, slice.head)) return;
        place.knowsLost = true;
        place.sequence = beginningOf(slice);
      } else {
        // Notices are kept longer than texts: what he reads may begin with some from before what is lost.
        place.knowsLost = false;
        // Not beyond what the feed has: from there on everybody gets the same.
        const entries = slice.entries.filter((entry) => entry.sequence <= this.#room.timeline.last);
        const { floor } = this.#room.timeline;
        this.#advance(place, entries, entries.at(-1)?.sequence ?? Math.max(place.sequence, floor));
      }
    }
  }

  #checkPace(place: Place): void {
    const { outlet } = place.subscriber;
    const behind = this.#room.timeline.bytesAfter(place.sequence);
    if (behind + outlet.pendingBytes <= outlet.mostBytes) return;
    this.#metrics.slow();
    place.subscriber.end(tooSlow('the room talks: resume from its cursor'));
  }

  /** Brings one who catches up to a sequence. */
  #advance(place: Place, entries: readonly Entry[], to: number): void {
    const { closing } = place;
    let rest = entries;
    if (closing && to >= closing.after) {
      place.closing = undefined;
      rest = entries.filter(({ sequence }) => sequence > closing.after);
      this.#deliver(place, entries.slice(0, entries.length - rest.length));
      place.subscriber.outlet.write(closing.framed);
    }
    this.#deliver(place, rest);
    place.sequence = to;
  }

  #deliver(place: Place, entries: readonly Entry[]): void {
    const { form, outlet, without } = place.subscriber;
    const wanted = without
      ? entries.filter((e) => e.type !== 'TEXT' || e.senderId !== without.userId || e.sequence <= without.after)
      : entries;
    if (wanted.length === 0) return;
    outlet.write(framesOf(form, this.#room.roomId, wanted));
    this.#metrics.delivered(wanted.length);
  }
}

/** Where what is kept begins: everything after this. */
export function beginningOf(slice: Slice): number {
  return slice.entries[0] ? slice.entries[0].sequence - 1 : slice.head.sequence;
}
