/** What every chat log promises: one suite for PGlite, PostgreSQL, Redis and a Redis cluster. */
import { setTimeout as sleep } from 'node:timers/promises';
import { messageCodec } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultSpec, type RoomRecord, type RoomSpec } from '../rooms/record.ts';
import { encodeBody } from './codec.ts';
import type { Announcement, Appended, ChatLog, Draft, Entry, EntryType, Outcome, Position } from './log.ts';

export interface Store extends AsyncDisposable {
  /** A pod's log over the one store. */
  pod(): Promise<ChatLog>;
  /** Loses everything, as FLUSHALL does; absent where that is no fault that happens. */
  empty?(): Promise<void>;
  /** Sets the room's last sequence back, as a store that was restored from an older state has it. */
  loseTail(roomId: string, head: number): Promise<void>;
  /** Lets every lease be over. */
  endLeases(): Promise<void>;
  /** Every byte that is kept of a room's messages, to look for what should be gone. */
  contents(roomId: string): Promise<Buffer>;
}

let made = 0;

/** A draft by its content: what a test says and no more. */
export function draft(roomId: string, content: string, more: Partial<Draft> = {}): Draft {
  const id = `m${String(++made).padStart(9, '0')}`;
  const type = more.type ?? 'TEXT';
  const senderId = more.senderId ?? 'u1';
  return {
    id,
    senderId,
    body: encodeBody({ id, roomId, userId: senderId, username: 'Ann', content, type }),
    ...more,
    type,
  };
}

export const record = (roomId: string, spec: Partial<RoomSpec> = {}): RoomRecord => ({
  roomId,
  version: 0,
  createdAtMs: 1_700_000_000_000,
  spec: { ...defaultSpec, displayName: roomId, ...spec },
  fence: 0,
  mutedUntilMs: {},
  removed: {},
});

const outcomesOf = (appended: Appended): Outcome[] => {
  if (appended.kind !== 'done') throw new Error(`the step was ${appended.kind}`);
  return appended.outcomes;
};
const positionOf = (appended: Appended): Position => {
  const [outcome] = outcomesOf(appended);
  if (!outcome || outcome.kind === 'refused') throw new Error('the draft was refused');
  return outcome.position;
};
const sequences = (entries: Entry[]) => entries.map(({ sequence }) => sequence);

async function until(condition: () => boolean | Promise<boolean>, what: string): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`not within 10 s: ${what}`);
    await sleep(5);
  }
}

export function describeChatLog(name: string, open: () => Promise<Store>): void {
  describe(name, { timeout: 60_000 }, () => {
    let store: Store;
    let a: ChatLog;
    let b: ChatLog;
    let rooms = 0;

    sharedFixture(async (stack) => {
      store = stack.use(await open());
      a = stack.use(await store.pod());
      b = stack.use(await store.pod());
    });

    async function room(spec: Partial<RoomSpec> = {}): Promise<string> {
      const roomId = `room-${++rooms}`;
      expect((await a.putRoom(record(roomId, spec), 0)).written).toBe(true);
      return roomId;
    }
    async function say(roomId: string, count: number, type: EntryType = 'TEXT'): Promise<Position> {
      const drafts = Array.from({ length: count }, (_, at) => draft(roomId, `${type} ${at}`, { type }));
      const outcomes = outcomesOf(await a.append(roomId, 1, drafts));
      const last = outcomes.at(-1);
      if (last?.kind !== 'appended') throw new Error('not appended');
      return last.position;
    }

    test('numbers have no gaps while several pods append at once', async () => {
      const roomId = await room();
      const pods = [a, b, await store.pod()];
      const appended = await Promise.all(
        Array.from({ length: 150 }, (_, at) => (pods[at % 3] as ChatLog).append(roomId, 1, [draft(roomId, `${at}`)])),
      );
      const numbers = appended.map((each) => positionOf(each).sequence).sort((x, y) => x - y);
      expect(numbers).toEqual(Array.from({ length: 150 }, (_, at) => at + 1));
      const { entries, head } = await b.read(roomId, { ...positionOf(appended[0] as Appended), sequence: 0 }, 1000);
      expect(head.sequence).toBe(150);
      expect(sequences(entries)).toEqual(Array.from({ length: 150 }, (_, at) => at + 1));
      expect(entries.every(({ timestampMs }, at) => timestampMs >= (entries[at - 1]?.timestampMs ?? 0))).toBe(true);
      await pods[2]?.[Symbol.asyncDispose]();
    });

    test('a message is read as it was sent, with its place and time', async () => {
      const roomId = await room();
      const sent = draft(roomId, 'Grüße 👋\n\ttab', { senderId: 'u7' });
      const [outcome] = outcomesOf(await a.append(roomId, 1, [sent]));
      if (outcome?.kind !== 'appended') throw new Error('not appended');
      const { entries } = await b.tail(roomId, 10);
      expect(entries).toHaveLength(1);
      const [entry] = entries as [Entry];
      expect(entry).toMatchObject({ id: sent.id, senderId: 'u7', type: 'TEXT', sequence: 1 });
      expect(entry.timestampMs).toBe(outcome.timestampMs);
      expect(decode(entry.bytes)).toMatchObject({
        content: 'Grüße 👋\n\ttab',
        sequence: '1',
        epoch: outcome.position.epoch,
        timestamp: new Date(outcome.timestampMs).toISOString(),
      });
    });

    test('a repeated key answers with the first message, on any pod, and another content is refused', async () => {
      const roomId = await room();
      const keyed = (content: string, contentHash: string, senderId = 'u1') =>
        draft(roomId, content, { senderId, idempotency: { key: 'k', contentHash } });
      const first = keyed('hello', 'h1');
      const position = positionOf(await a.append(roomId, 1, [first]));
      const again = outcomesOf(
        await b.append(roomId, 1, [keyed('hello', 'h1'), keyed('other', 'h2'), keyed('hello', 'h1', 'u2')]),
      );
      expect(again[0]).toMatchObject({ kind: 'duplicate', id: first.id, position });
      expect(again[1]).toMatchObject({
        kind: 'refused',
        error: { code: 'ALREADY_EXISTS', details: { reason: 'KEY_REUSED' } },
      });
      expect(again[2]).toMatchObject({ kind: 'appended', position: { sequence: 2 } });
    });

    test('100 callers with one key at once are one message', async () => {
      const roomId = await room();
      const one = () => draft(roomId, 'once', { idempotency: { key: 'same', contentHash: 'h' } });
      const all = await Promise.all(
        Array.from({ length: 100 }, (_, at) => (at % 2 ? a : b).append(roomId, 1, [one()])),
      );
      expect(new Set(all.map((each) => positionOf(each).sequence))).toEqual(new Set([1]));
      expect(all.filter((each) => outcomesOf(each)[0]?.kind === 'appended')).toHaveLength(1);
    });

    test('a key outlives its trimmed message for ten minutes', async () => {
      const roomId = await room({ maxMessages: 2 });
      const keyed = () => draft(roomId, 'x', { idempotency: { key: 'k', contentHash: 'h' } });
      await a.append(roomId, 1, [keyed()]);
      await say(roomId, 5);
      expect(outcomesOf(await a.append(roomId, 1, [keyed()]))[0]).toMatchObject({
        kind: 'duplicate',
        position: { sequence: 1 },
      });
    });

    test('who sends too fast is told when to try again, and others are not held up', async () => {
      const roomId = await room();
      const fast = (senderId: string) => draft(roomId, 'x', { senderId, rate: { perMinute: 6, burst: 3 } });
      const outcomes = outcomesOf(
        await a.append(roomId, 1, [...Array.from({ length: 5 }, () => fast('u1')), fast('u2')]),
      );
      expect(outcomes.map(({ kind }) => kind)).toEqual([
        'appended',
        'appended',
        'appended',
        'refused',
        'refused',
        'appended',
      ]);
      const refused = outcomes[3];
      if (refused?.kind !== 'refused') throw new Error('not refused');
      expect(refused.error.code).toBe('RESOURCE_EXHAUSTED');
      expect(refused.error.details.retryAfterMs).toBeGreaterThan(0);
      expect(refused.error.details.retryAfterMs).toBeLessThanOrEqual(10_000);
      expect(outcomesOf(await b.append(roomId, 1, [fast('u1')]))[0]?.kind).toBe('refused');
    });

    test('a step with another version of the record changes nothing and is told the one that counts', async () => {
      const roomId = await room();
      await a.putRoom(record(roomId, { topic: 'new' }), 1);
      const stale = await b.append(roomId, 1, [draft(roomId, 'x')]);
      expect(stale).toMatchObject({ kind: 'stale', record: { version: 2, spec: { topic: 'new' } } });
      expect((await a.tail(roomId, 10)).entries).toEqual([]);
      expect(await a.append('nowhere', 1, [draft('nowhere', 'x')])).toEqual({ kind: 'no-room' });
    });

    test('a room keeps its last maxMessages texts and 200 notices, and says only of texts that they are lost', async () => {
      const roomId = await room({ maxMessages: 5 });
      const { epoch } = await say(roomId, 3);
      await say(roomId, 205, 'JOIN');
      expect((await a.read(roomId, { epoch, sequence: 0 }, 1000)).lost).toBeUndefined();
      await say(roomId, 4);
      const slice = await a.read(roomId, { epoch, sequence: 2 }, 1000);
      expect(slice.lost).toBeUndefined();
      expect(slice.entries.filter(({ type }) => type === 'TEXT')).toHaveLength(5);
      expect(slice.entries.filter(({ type }) => type === 'JOIN')).toHaveLength(200);
      expect((await a.read(roomId, { epoch, sequence: 1 }, 1000)).lost).toBe('TRIMMED');
      for (const texts of [0, 1, 10]) expect((await b.tail(roomId, texts)).trimmed).toBe(2);
      expect((await a.summaries([roomId]))[0]).toMatchObject({ messages: 5, head: { sequence: 212 } });
    });

    test('a removed message that is not told any more counts as lost', async () => {
      const roomId = await room();
      const { epoch } = await say(roomId, 1);
      await say(roomId, 1, 'REMOVED');
      await say(roomId, 200, 'LEAVE');
      expect((await a.read(roomId, { epoch, sequence: 1 }, 10)).lost).toBe('TRIMMED');
      expect((await a.read(roomId, { epoch, sequence: 2 }, 10)).lost).toBeUndefined();
    });

    test('fewer messages are kept as soon as the record says so', async () => {
      const roomId = await room();
      const { epoch } = await say(roomId, 10);
      await a.putRoom(record(roomId, { maxMessages: 4 }), 1);
      expect(sequences((await b.tail(roomId, 100)).entries)).toEqual([7, 8, 9, 10]);
      expect((await b.read(roomId, { epoch, sequence: 3 }, 100)).lost).toBe('TRIMMED');
    });

    test('what is older than maxAge is not read, also where nobody writes', async () => {
      const roomId = await room({ maxAgeSeconds: 1 });
      const { epoch } = await say(roomId, 3);
      await until(async () => (await a.tail(roomId, 10)).entries.length === 0, 'messages past their age');
      expect(await a.read(roomId, { epoch, sequence: 1 }, 10)).toMatchObject({
        lost: 'TRIMMED',
        head: { sequence: 3 },
      });
      expect((await a.read(roomId, { epoch, sequence: 3 }, 10)).lost).toBeUndefined();
      expect((await say(roomId, 1)).sequence).toBe(4);
    });

    test('read goes on after a position, and says when there is more', async () => {
      const roomId = await room();
      const { epoch } = await say(roomId, 6);
      const slice = await b.read(roomId, { epoch, sequence: 2 }, 3);
      expect([sequences(slice.entries), slice.more]).toEqual([[3, 4, 5], true]);
      const rest = await b.read(roomId, { epoch, sequence: 5 }, 3);
      expect([sequences(rest.entries), rest.more]).toEqual([[6], false]);
      expect(await b.read(roomId, { epoch: 'another', sequence: 2 }, 2)).toMatchObject({
        lost: 'EPOCH_CHANGED',
        more: true,
      });
      expect((await b.read(roomId, { epoch, sequence: 7 }, 2)).lost).toBe('EPOCH_CHANGED');
      await expect(b.read('nowhere', { epoch, sequence: 0 }, 1)).rejects.toMatchObject({ code: 'NOT_FOUND' });
    });

    test('tail has the newest texts and the notices among them', async () => {
      const roomId = await room();
      await say(roomId, 2, 'JOIN');
      await say(roomId, 2);
      await say(roomId, 1, 'LEAVE');
      await say(roomId, 1);
      expect(sequences((await a.tail(roomId, 2)).entries)).toEqual([4, 5, 6]);
      expect(sequences((await a.tail(roomId, 3)).entries)).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await a.tail(roomId, 0)).toMatchObject({ head: { sequence: 6 }, entries: [], more: false });
    });

    test('a log that has lost its tail starts a new epoch before anything else', async () => {
      const roomId = await room();
      const seen = await say(roomId, 5);
      await store.loseTail(roomId, 3);
      const position = positionOf(await b.append(roomId, 1, [draft(roomId, 'after')], seen));
      expect(position.sequence).toBe(4);
      expect(position.epoch).not.toBe(seen.epoch);
      expect(position.epoch).toMatch(/^[a-z0-9]{1,16}$/);
      expect((await a.read(roomId, seen, 10)).lost).toBe('EPOCH_CHANGED');
      expect((await a.append(roomId, 1, [], position)).kind).toBe('done');
      expect((await a.tail(roomId, 1)).head).toEqual(position);
    });

    test('nor is it covered up that a tail was lost by a JOIN, or by a LEAVE of a member who went or was swept away', async () => {
      const leave = (id: string, userId = 'u1') => draft(id, '', { type: 'LEAVE', senderId: userId });
      const ways: ((roomId: string, seen: Position) => Promise<unknown>)[] = [
        (roomId, seen) => {
          const join = draft(roomId, '', { type: 'JOIN', senderId: 'u2' });
          return a.enter(roomId, { userId: 'u2', username: 'Ben' }, join, undefined, seen);
        },
        (roomId, seen) => a.leave(roomId, 'u1', leave(roomId), seen),
        async (roomId, seen) => {
          await store.endLeases();
          await b.sweep(
            (id, { userId }) => leave(id, userId),
            (id) => (id === roomId ? seen : undefined),
          );
        },
      ];
      for (const way of ways) {
        const roomId = await room();
        await a.enter(roomId, { userId: 'u1', username: 'Ann' }, draft(roomId, '', { type: 'JOIN' }));
        const seen = await say(roomId, 5);
        await store.loseTail(roomId, 4);
        await way(roomId, seen);
        const { head, entries } = await b.tail(roomId, 1);
        expect(head.sequence).toBe(5);
        expect(head.epoch).not.toBe(seen.epoch);
        expect(entries.at(-1)).toMatchObject({ sequence: 5, type: expect.stringMatching(/JOIN|LEAVE/) });
        await say(roomId, 3);
        expect((await a.read(roomId, seen, 10)).lost).toBe('EPOCH_CHANGED');
      }
      for (const pod of [a, b]) await pod.renewLease();
    });

    test('followers on every pod hear every entry once and in order', async () => {
      const roomId = await room();
      const heard: Record<string, number[]> = { a: [], b: [] };
      const epochs = new Set<string>();
      const listen = (name: string) => (announcement: Announcement) => {
        if (announcement.kind !== 'entries') return;
        epochs.add(announcement.epoch);
        heard[name]?.push(...sequences(announcement.entries));
      };
      const following = [await a.follow(roomId, listen('a')), await b.follow(roomId, listen('b'))];
      const sends = Array.from({ length: 200 }, (_, at) =>
        (at % 2 ? a : b).append(roomId, 1, [draft(roomId, `${at}`)]),
      );
      // One that is too long for a notification of PostgreSQL, in the middle.
      sends.push(a.append(roomId, 1, [draft(roomId, 'long '.repeat(3000))]));
      await Promise.all(sends);
      await say(roomId, 20);
      const all = Array.from({ length: 221 }, (_, at) => at + 1);
      await until(() => heard.a?.length === 221 && heard.b?.length === 221, 'all entries heard');
      expect(heard).toEqual({ a: all, b: all });
      expect(epochs.size).toBe(1);
      await following[0]?.[Symbol.asyncDispose]();
      await say(roomId, 1);
      await until(() => heard.b?.length === 222, 'one more');
      expect(heard.a).toHaveLength(221);
      await following[1]?.[Symbol.asyncDispose]();
    });

    test('followers hear of the record, of members sent away and of typing', async () => {
      const roomId = await room();
      const heard: Announcement[] = [];
      await using _following = await b.follow(roomId, (announcement) => {
        // That the room was made may be heard late.
        if (announcement.kind !== 'record' || announcement.version !== 1) heard.push(announcement);
      });
      await a.putRoom(record(roomId, { topic: 't' }), 1);
      await a.signal(roomId, { kind: 'typing', userId: 'u1', username: 'Änn' });
      await a.signal(roomId, { kind: 'member-removed', userId: 'u2' });
      await a.deleteRoom(roomId, 2, false);
      await until(() => heard.length === 4, 'four announcements');
      expect(heard).toEqual([
        { kind: 'record', version: 2 },
        { kind: 'typing', userId: 'u1', username: 'Änn' },
        { kind: 'member-removed', userId: 'u2' },
        { kind: 'record', version: 0 },
      ]);
    });

    test('of those who change a record at once one succeeds, and the others are told what is there', async () => {
      const roomId = await room();
      const puts = await Promise.all(
        Array.from({ length: 10 }, (_, at) => (at % 2 ? a : b).putRoom(record(roomId, { topic: `${at}` }), 1)),
      );
      expect(puts.filter(({ written }) => written)).toHaveLength(1);
      const winner = puts.find(({ written }) => written)?.record;
      expect(winner?.version).toBe(2);
      for (const put of puts) expect(put.record).toEqual(winner);
      expect(await b.room(roomId)).toEqual(winner);
    });

    test('a deleted room is gone, and its history with it unless that is kept', async () => {
      const roomId = await room();
      const { epoch } = await say(roomId, 3);
      expect(await a.deleteRoom(roomId, 7, false)).toBe(false);
      expect(await a.deleteRoom(roomId, 1, true)).toBe(true);
      expect(await b.room(roomId)).toBeUndefined();
      expect(await b.append(roomId, 1, [draft(roomId, 'x')])).toEqual({ kind: 'no-room' });
      await a.putRoom(record(roomId), 0);
      expect(await b.read(roomId, { epoch, sequence: 1 }, 10)).toMatchObject({ head: { epoch, sequence: 3 } });
      expect(await a.deleteRoom(roomId, 1, false)).toBe(true);
      expect(await a.deleteRoom(roomId, 1, false)).toBe(false);
      await a.putRoom(record(roomId), 0);
      const tail = await b.tail(roomId, 10);
      expect(tail).toMatchObject({ head: { sequence: 0 }, entries: [] });
      expect(tail.head.epoch).not.toBe(epoch);
    });

    test('rooms are listed by id in pages, with their numbers', async () => {
      for (const at of [1, 2, 3, 4, 5]) await a.putRoom(record(`zz-list-${at}`), 0);
      await a.append('zz-list-2', 1, [draft('zz-list-2', 'x'), draft('zz-list-2', '', { type: 'JOIN' })]);
      await a.deleteRoom('zz-list-3', 1, true);
      const page = await b.rooms('zz-list-', 3);
      expect(page.map((each) => each.record.roomId)).toEqual(['zz-list-1', 'zz-list-2', 'zz-list-4']);
      expect(page[1]).toMatchObject({ head: { sequence: 2 }, members: 0, messages: 1 });
      expect(page[1]?.lastMessageTimeMs).toBeGreaterThan(1_700_000_000_000);
      expect(page[0]?.lastMessageTimeMs).toBeUndefined();
      expect((await b.rooms('zz-list-4', 3)).map((each) => each.record.roomId)).toEqual(['zz-list-5']);
      const some = await b.summaries(['zz-list-5', 'zz-list-3', 'zz-list-1']);
      expect(some.map((each) => each.record.roomId).sort()).toEqual(['zz-list-1', 'zz-list-5']);
    });

    test('followers of rooms hear which have changed', async () => {
      const roomId = await room();
      const heard = new Set<string>();
      await using _following = await b.followRooms((roomIds) => {
        for (const id of roomIds ?? []) heard.add(id);
      });
      await say(roomId, 1);
      await until(() => heard.has(roomId), 'the room has changed');
    });

    const ann = { userId: 'u1', username: 'Ann' };
    const notice = (roomId: string, type: EntryType, userId = 'u1') => draft(roomId, '', { type, senderId: userId });
    const notices = async (roomId: string) => (await a.tail(roomId, 1000)).entries.map(({ type }) => type);

    test('a member with windows on two pods joins once and leaves once', async () => {
      const roomId = await room();
      const joins = await Promise.all([a, b, a, b].map((pod) => pod.enter(roomId, ann, notice(roomId, 'JOIN'))));
      expect(joins.filter(({ joined }) => joined)).toHaveLength(1);
      expect(joins.find(({ joined }) => joined)?.outcome).toMatchObject({
        kind: 'appended',
        position: { sequence: 1 },
      });
      expect(await b.members(roomId)).toEqual([ann]);
      expect(await a.leave(roomId, 'u1', notice(roomId, 'LEAVE'))).toEqual({ left: false });
      expect(await a.leave(roomId, 'u1', notice(roomId, 'LEAVE'))).toEqual({ left: false });
      expect(await b.leave(roomId, 'u1', notice(roomId, 'LEAVE'))).toEqual({ left: true });
      expect(await notices(roomId)).toEqual(['JOIN', 'LEAVE']);
      expect(await a.members(roomId)).toEqual([]);
    });

    test('a full room takes nobody more, whoever asks at the same time', async () => {
      const roomId = await room();
      const enters = await Promise.all(
        Array.from({ length: 10 }, (_, at) =>
          (at % 2 ? a : b).enter(roomId, { userId: `u${at}`, username: 'x' }, notice(roomId, 'JOIN', `u${at}`), 4),
        ),
      );
      expect(enters.filter(({ joined }) => joined)).toHaveLength(4);
      expect(enters.filter(({ full }) => full)).toHaveLength(6);
      expect(await a.members(roomId)).toHaveLength(4);
      expect((await a.summaries([roomId]))[0]?.members).toBe(4);
    });

    test('a dead pod’s members are swept away once, by any number of pods, and those who live elsewhere stay', async () => {
      const roomId = await room();
      const dead = await store.pod();
      for (const userId of ['u1', 'u2', 'u3'])
        await dead.enter(roomId, { userId, username: userId }, notice(roomId, 'JOIN', userId));
      await a.enter(roomId, { userId: 'u2', username: 'u2' }, notice(roomId, 'JOIN', 'u2'));
      await store.endLeases();
      // Pod a was paused as well; it learns so, and enters its members again under a new lease.
      expect(await a.renewLease(false, 3)).toEqual({ lapsed: true });
      await a.enter(roomId, { userId: 'u2', username: 'u2' }, notice(roomId, 'JOIN', 'u2'));
      expect([...(await b.loads()).values()]).toContain(3);
      const leave = (id: string, { userId }: { userId: string }) => notice(id, 'LEAVE', userId);
      await Promise.all([a.sweep(leave), b.sweep(leave), a.sweep(leave)]);
      expect((await b.members(roomId)).map(({ userId }) => userId)).toEqual(['u2']);
      const left = (await a.tail(roomId, 1000)).entries
        .filter(({ type }) => type === 'LEAVE')
        .map(({ senderId }) => senderId);
      expect(left.sort()).toEqual(['u1', 'u3']);
      expect(await a.renewLease()).toEqual({ lapsed: false });
      await dead[Symbol.asyncDispose]();
    });

    test('a removed message keeps its place, and its text is gone from the store', async () => {
      const roomId = await room();
      const drafts = ['keep', 'unspeakable-words', 'keep too'].map((content) => draft(roomId, content));
      const { epoch } = positionOf(await a.append(roomId, 1, drafts));
      const [, spoken] = drafts as [Draft, Draft, Draft];
      expect((await store.contents(roomId)).includes('unspeakable-words')).toBe(true);
      expect(await b.blank(roomId, spoken.id)).toBe(true);
      expect(await b.blank(roomId, 'm-unknown')).toBe(false);
      expect((await store.contents(roomId)).includes('unspeakable-words')).toBe(false);
      const { entries } = await a.read(roomId, { epoch, sequence: 0 }, 10);
      expect(entries.map(({ bytes }) => decode(bytes).content)).toEqual(['keep', '', 'keep too']);
      expect(sequences(entries)).toEqual([1, 2, 3]);
      expect(await a.find(roomId, spoken.id)).toMatchObject({ sequence: 2, id: spoken.id });
      expect(await a.find(roomId, 'm-unknown')).toBeUndefined();
      expect((await say(roomId, 1)).sequence).toBe(4);
    });

    test('read marks never go back, and count the texts after them', async () => {
      const roomId = await room({ maxMessages: 6 });
      const { epoch } = await say(roomId, 4);
      await say(roomId, 3, 'JOIN');
      await say(roomId, 2);
      const unread = async () => (await b.readMarks('reader', [roomId, 'nowhere'])).get(roomId);
      expect(await unread()).toBeUndefined();
      await a.markRead('reader', roomId, { epoch, sequence: 3 });
      expect(await unread()).toEqual({ position: { epoch, sequence: 3 }, unread: 3 });
      await b.markRead('reader', roomId, { epoch, sequence: 2 });
      expect((await unread())?.position.sequence).toBe(3);
      await b.markRead('reader', roomId, { epoch, sequence: 9 });
      expect((await unread())?.unread).toBe(0);
      await say(roomId, 20);
      expect((await unread())?.unread).toBe(6);
      for (const sequence of [999_999_999_999_999, Number.MAX_SAFE_INTEGER]) {
        await a.markRead('reader', roomId, { epoch, sequence });
        expect(await unread()).toEqual({ position: { epoch, sequence }, unread: 0 });
      }
    });

    test('a store that was emptied is another log', async ({ skip }) => {
      if (!store.empty) return skip();
      const roomId = await room();
      const seen = await say(roomId, 5);
      await store.empty();
      expect(await a.append(roomId, 1, [draft(roomId, 'x')], seen)).toEqual({ kind: 'no-room' });
      await a.putRoom(record(roomId), 0);
      const position = positionOf(await a.append(roomId, 1, [draft(roomId, 'x')], seen));
      expect(position.sequence).toBe(1);
      expect(position.epoch).not.toBe(seen.epoch);
      expect((await b.read(roomId, seen, 10)).lost).toBe('EPOCH_CHANGED');
    });

    test('whatever is appended, read and trimmed, the log is like a list', async () => {
      const step = fc.record({
        texts: fc.array(fc.constantFrom<EntryType>('TEXT', 'TEXT', 'JOIN', 'SYSTEM', 'REMOVED'), { maxLength: 12 }),
        after: fc.nat(60),
        limit: fc.integer({ min: 1, max: 20 }),
        tail: fc.nat(8),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.integer({ min: 1, max: 8 }),
          fc.array(step, { maxLength: 6 }),
          async (maxMessages, steps) => {
            const roomId = await room({ maxMessages });
            const { head } = await a.tail(roomId, 0);
            const all: { sequence: number; type: EntryType }[] = [];
            for (const { texts, after, limit, tail } of steps) {
              const outcomes = outcomesOf(
                await a.append(
                  roomId,
                  1,
                  texts.map((type) => draft(roomId, 'x', { type })),
                ),
              );
              expect(outcomes.map((each) => (each.kind === 'appended' ? each.position.sequence : 0))).toEqual(
                texts.map((_, at) => all.length + at + 1),
              );
              for (const type of texts) all.push({ sequence: all.length + 1, type });
              const isText = ({ type }: { type: EntryType }) => type === 'TEXT' || type === 'SYSTEM';
              const kept = all.filter((each) =>
                isText(each) ? all.filter(isText).slice(-maxMessages).includes(each) : true,
              );
              const lost = all.some((each) => each.sequence > after && !kept.includes(each));
              const expected = after > all.length ? kept : kept.filter(({ sequence }) => sequence > after);
              const slice = await b.read(roomId, { ...head, sequence: after }, limit);
              expect(slice.head).toEqual({ ...head, sequence: all.length });
              expect(slice.lost).toBe(after > all.length ? 'EPOCH_CHANGED' : lost ? 'TRIMMED' : undefined);
              expect(slice.entries.map(({ sequence, type }) => ({ sequence, type }))).toEqual(expected.slice(0, limit));
              expect(slice.more).toBe(expected.length > limit);
              const keptTexts = kept.filter(isText);
              const from =
                tail === 0
                  ? Number.POSITIVE_INFINITY
                  : keptTexts.length <= tail
                    ? 0
                    : (keptTexts.at(-tail)?.sequence ?? 0);
              expect(sequences((await b.tail(roomId, tail)).entries)).toEqual(
                kept.filter(({ sequence }) => sequence >= from).map(({ sequence }) => sequence),
              );
            }
          },
        ),
        { numRuns: 25 },
      );
    });
  });
}

const codec = messageCodec('chat.ChatMessage');
const decode = (bytes: Buffer) => codec.decode(bytes) as Record<string, unknown>;
