import { Metrics, messageCodec, silentLog, unframe } from '@parley/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complete, encodeBody } from '../log/codec.ts';
import type { Announcement, ChatLog, Entry, Slice } from '../log/log.ts';
import { framesOf } from '../messages/frames.ts';
import { newRecord, Rooms } from '../rooms/rooms.ts';
import { DeliveryMetrics } from './delivery-metrics.ts';
import { Feed } from './feed.ts';
import { Flusher } from './flusher.ts';
import type { Subscriber } from './subscriber.ts';

const epoch = 'e1';
const codec = messageCodec('chat.ChatMessage');

const entryOf = (sequence: number): Entry => {
  const id = `${sequence}`;
  const body = encodeBody({ id, roomId: 'r', userId: 'u', username: 'u', content: id, type: 'TEXT' });
  const bytes = complete(body, { epoch, sequence }, 0);
  return { sequence, type: 'TEXT', id, senderId: 'u', timestampMs: 0, bytes };
};
/** Of no place in the log. */
const closing = entryOf(0);

/** A log in memory whose announcements go astray as they are told to. */
class StrayLog {
  readonly entries: Entry[] = [];
  #listener: (announcement: Announcement) => void = () => undefined;
  #held: Announcement[] = [];
  follow = async (_room: string, listener: (announcement: Announcement) => void) => {
    this.#listener = listener;
    return { [Symbol.asyncDispose]: async () => undefined };
  };
  room = async () => ({ ...newRecord('r', {}), version: 1 });
  tail = async (_room: string, texts: number) =>
    this.#slice(Math.max(0, this.entries.length - texts), this.entries.length);
  read = async (_room: string, { sequence }: { sequence: number }, limit: number) =>
    this.#slice(sequence, sequence + limit);

  append(count: number, fate: 'told' | 'lost' | 'twice' | 'late'): void {
    const entries: Entry[] = [];
    for (let i = 0; i < count; i++) {
      const entry = entryOf(this.entries.length + 1);
      this.entries.push(entry);
      entries.push(entry);
    }
    const announcement: Announcement = { kind: 'entries', epoch, entries };
    if (fate === 'late') this.#held.push(announcement);
    else if (fate !== 'lost') this.#listener(announcement);
    if (fate === 'twice') this.#listener(announcement);
  }

  /** What was late comes now, in any order, and then the connection says that it cannot be sure. */
  settle(): void {
    for (const announcement of this.#held.reverse()) this.#listener(announcement);
    this.#held = [];
    this.#listener({ kind: 'uncertain' });
  }

  #slice(from: number, to: number): Slice {
    const entries = this.entries.slice(from, to);
    return { head: { epoch, sequence: this.entries.length }, entries, more: to < this.entries.length, trimmed: 0 };
  }
}

/** Reads, stops reading and reads on; what it was sent is in `sequences`. */
class Reading implements Subscriber {
  readonly form = 'single';
  readonly without = undefined;
  readonly sequences: number[] = [];
  stuck = false;
  #pending = 0;
  #waiting: (() => void)[] = [];
  readonly outlet;
  constructor() {
    const self = this;
    this.outlet = {
      holdBytes: 200,
      mostBytes: 1_000_000,
      get pendingBytes() {
        return self.#pending;
      },
      write(framed: Buffer) {
        for (const message of unframe(framed))
          self.sequences.push(Number((codec.decode(message) as { sequence: string }).sequence));
        if (self.stuck) self.#pending += framed.length;
      },
      whenDrained(call: () => void) {
        if (self.#pending === 0) call();
        else self.#waiting.push(call);
      },
    };
  }
  readOn(): void {
    this.stuck = false;
    this.#pending = 0;
    for (const call of this.#waiting.splice(0)) call();
  }
  lost = () => false;
  recordChanged(): void {}
  memberRemoved(): void {}
  typing(): void {}
  end(error: Error): void {
    throw error;
  }
}

const step = fc.oneof(
  fc.record({
    do: fc.constant('append' as const),
    count: fc.integer({ min: 1, max: 9 }),
    fate: fc.constantFrom('told' as const, 'told' as const, 'lost' as const, 'twice' as const, 'late' as const),
  }),
  fc.record({ do: fc.constant('join' as const), back: fc.nat(60) }),
  fc.record({ do: fc.constant('stick' as const), who: fc.nat(9) }),
  fc.record({ do: fc.constant('read on' as const), who: fc.nat(9) }),
  fc.record({ do: fc.constant('settle' as const) }),
  fc.record({ do: fc.constant('wait' as const) }),
);

test('whenever a subscriber comes, from wherever he resumes, he gets everything after it once, in order, and what closes it where it ended as he came', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
      const log = new StrayLog();
      log.append(30, 'told');
      const chatLog = log as unknown as ChatLog;
      const feed = await Feed.open('r', {
        log: chatLog,
        rooms: new Rooms(chatLog, 'open'),
        flusher: new Flusher(),
        logger: silentLog,
        metrics: new DeliveryMetrics(new Metrics()),
        seen: () => undefined,
        restarted: () => undefined,
        removed: () => undefined,
        gone: () => undefined,
      });
      const readers: { reading: Reading; from: number; end: number }[] = [];
      for (const one of steps) {
        const who = 'who' in one ? readers[one.who]?.reading : undefined;
        if (one.do === 'append') log.append(one.count, one.fate);
        else if (one.do === 'settle') log.settle();
        else if (one.do === 'wait') await new Promise((resolve) => setImmediate(resolve));
        else if (one.do === 'stick' && who) who.stuck = true;
        else if (one.do === 'read on') who?.readOn();
        else if (one.do === 'join') {
          const { sequence } = await feed.locate({ epoch, sequence: Math.max(0, log.entries.length - one.back) });
          const reading = new Reading();
          readers.push({ reading, from: sequence, end: feed.head.sequence });
          feed.attach(reading, sequence, false, framesOf('single', 'r', [closing]));
        }
      }
      log.settle();
      for (const { reading } of readers) reading.readOn();
      await feed.refresh();
      const last = log.entries.length;
      for (const { reading, from, end } of readers) {
        await expect.poll(() => reading.sequences.length, { interval: 1 }).toBe(last - from + 1);
        const history = Array.from({ length: end - from }, (_, i) => from + 1 + i);
        const live = Array.from({ length: last - end }, (_, i) => end + 1 + i);
        expect(reading.sequences).toEqual([...history, 0, ...live]);
      }
      await feed.close();
    }),
    { numRuns: 150 },
  );
});
