/** The chat log in PostgreSQL or PGlite: a step is one function of schema.sql, with the room's row locked. */
import type { Database } from '@parley/kit';
import { type Kysely, type RawBuilder, sql } from 'kysely';
import type { RoomRecord } from '../../rooms/record.ts';
import { coalescing, type Step } from '../coalescing.ts';
import { complete, newEpoch, withoutContent } from '../codec.ts';
import { Followers } from '../followers.ts';
import type {
  Announcement,
  Appended,
  ChatLog,
  Draft,
  Entry,
  Member,
  Outcome,
  Position,
  ReadMark,
  RoomSummary,
  Slice,
} from '../log.ts';
import { leaseMs, PodLease } from '../pod-lease.ts';
import { noRoom } from '../refusals.ts';
import { RoomChanges } from '../room-changes.ts';
import { nextVersion } from '../versions.ts';
import { type Bus, openBus } from './bus.ts';
import { type MessageRow, packDrafts, type SummaryRow, toEntry, toOutcome, toSummary, type Written } from './rows.ts';

type StepAnswer = Written | { k: 'no-room' } | { k: 'stale'; record: string };

interface SliceRow extends Partial<MessageRow> {
  epoch: string;
  head: string;
  trimmed: string;
  stale: boolean;
}

const summaryColumns = sql`record, epoch, head, members, texts - texts_gone as messages, last_text_ms`;

export class DatabaseLog implements ChatLog {
  readonly #database: Database;
  readonly #db: Kysely<unknown>;
  readonly #followers = new Followers();
  readonly #bus: Bus;
  readonly #changes: RoomChanges;
  readonly #lease: PodLease;
  readonly append: Step;
  /** Per room, what has to be read before what is announced next may be told. */
  readonly #reading = new Map<string, Promise<void>>();

  /** The schema must be there: `migrate(database, chatSchema)`. */
  constructor(database: Database) {
    this.#database = database;
    this.#db = database.as();
    this.#bus = openBus(database, {
      announced: (roomId, announcement) => this.#announced(roomId, announcement),
      roomsChanged: (roomIds) => this.#changes.tell(roomIds),
      uncertain: () => this.#followers.tellAll({ kind: 'uncertain' }),
    });
    this.#changes = new RoomChanges((roomIds) => this.#bus.changed(roomIds));
    this.append = coalescing((...step) => this.#step(...step));
    this.#lease = new PodLease({
      begin: async (pod, ttlMs, streams) => {
        await sql`insert into chat.lease values (${pod}, chat.now_ms() + ${ttlMs}, ${streams})`.execute(this.#db);
      },
      extend: async (pod, ttlMs, streams) => {
        const { rows } = await sql`update chat.lease set ends_ms = chat.now_ms() + ${ttlMs}, streams = ${streams}
          where pod = ${pod} and ends_ms > chat.now_ms() returning pod`.execute(this.#db);
        return rows.length > 0;
      },
    });
  }

  async #step(roomId: string, recordVersion: number, drafts: Draft[], seen?: Position): Promise<Appended> {
    const { control, bodies } = packDrafts(drafts);
    const answer = await this.#call<StepAnswer>(
      sql`chat.append(${roomId}, ${recordVersion}, ${control}::jsonb, ${bodies}, ${seenArgs(seen)},
        ${this.#bus.notifies})`,
    );
    if (answer.k === 'no-room') return { kind: 'no-room' };
    if (answer.k === 'stale') return { kind: 'stale', record: JSON.parse(answer.record) };
    return { kind: 'done', outcomes: this.#written(roomId, drafts, answer) };
  }

  /** What a step has written: told here where the database does not tell it. */
  #written(roomId: string, drafts: Draft[], written: Written): Outcome[] {
    const outcomes = written.o.map((row, at) => toOutcome(row, (drafts[at] as Draft).id, written));
    const appended = outcomes.some(({ kind }) => kind === 'appended');
    if (appended || written.new) this.#changes.touch(roomId);
    if (!this.#bus.notifies && (appended || written.new)) {
      const entries: Entry[] = [];
      outcomes.forEach((outcome, at) => {
        if (outcome.kind !== 'appended') return;
        const { id, type, senderId, body } = drafts[at] as Draft;
        const { position, timestampMs } = outcome;
        const bytes = complete(body, position, timestampMs);
        entries.push({ sequence: position.sequence, type, id, senderId, timestampMs, bytes });
      });
      void this.#bus.announce(roomId, { kind: 'entries', epoch: written.e, entries });
    }
    return outcomes;
  }

  async read(roomId: string, { epoch, sequence }: Position, limit: number): Promise<Slice> {
    return this.#slice(
      roomId,
      limit,
      sql`case when room.epoch <> ${epoch} or room.head < ${sequence}::bigint then 0 else ${sequence}::bigint end`,
      (row) => {
        if (row.epoch !== epoch || Number(row.head) < sequence) return 'EPOCH_CHANGED';
        return sequence < Number(row.trimmed) ? 'TRIMMED' : undefined;
      },
    );
  }

  async tail(roomId: string, texts: number): Promise<Slice> {
    if (texts <= 0) return this.#slice(roomId, 0, sql`room.head`, () => undefined);
    const start = sql`case when room.texts - room.texts_gone <= ${texts} then 0 else (select sequence - 1 from chat.message
      where room_id = room.room_id and is_text and nth = room.texts - ${texts}::bigint + 1) end`;
    return this.#slice(roomId, 1_000_000, start, () => undefined);
  }

  async #slice(
    roomId: string,
    limit: number,
    start: RawBuilder<unknown>,
    lost: (row: SliceRow) => Slice['lost'],
  ): Promise<Slice> {
    const { rows } = await sql<SliceRow>`
      select room.epoch, room.head, room.trimmed, m.sequence, m.type, m.timestamp_ms, m.id, m.sender_id, m.body,
        room.max_age_ms > 0 and exists (select from (select timestamp_ms from chat.message
          where room_id = room.room_id order by sequence limit 1) o
          where o.timestamp_ms < chat.now_ms() - room.max_age_ms) as stale
      from chat.room left join lateral (select * from chat.message
        where room_id = room.room_id and sequence > ${start} order by sequence limit ${limit + 1}) m on true
      where room.room_id = ${roomId} order by m.sequence`.execute(this.#db);
    const [first] = rows;
    if (!first) throw noRoom(roomId);
    if (first.stale) {
      await sql`select chat.expire(${roomId})`.execute(this.#db);
      return this.#slice(roomId, limit, start, lost);
    }
    const kept = first.sequence === null ? [] : (rows as (SliceRow & MessageRow)[]);
    const slice: Slice = {
      head: { epoch: first.epoch, sequence: Number(first.head) },
      entries: kept.slice(0, limit).map((row) => toEntry(first.epoch, row)),
      more: kept.length > limit,
      trimmed: Number(first.trimmed),
    };
    const reason = lost(first);
    if (reason) slice.lost = reason;
    return slice;
  }

  async blank(roomId: string, messageId: string): Promise<boolean> {
    const { rows } = await sql<{ sequence: string; body: Uint8Array }>`select sequence, body from chat.message
      where room_id = ${roomId} and id = ${messageId} and is_text`.execute(this.#db);
    const [row] = rows;
    if (!row) return false;
    const { rows: blanked } = await sql`update chat.message set body = ${withoutContent(row.body)}
      where room_id = ${roomId} and sequence = ${row.sequence} and id = ${messageId} returning id`.execute(this.#db);
    return blanked.length > 0;
  }

  async find(roomId: string, messageId: string): Promise<Entry | undefined> {
    const { rows } = await sql<MessageRow & { epoch: string }>`select m.*, r.epoch
      from chat.message m join chat.room r using (room_id)
      where room_id = ${roomId} and m.id = ${messageId}
        and (r.max_age_ms = 0 or m.timestamp_ms >= chat.now_ms() - r.max_age_ms)`.execute(this.#db);
    return rows[0] && toEntry(rows[0].epoch, rows[0]);
  }

  async follow(roomId: string, listener: (announcement: Announcement) => void): Promise<AsyncDisposable> {
    await this.#bus.ready();
    const { remove } = this.#followers.add(roomId, listener);
    return {
      [Symbol.asyncDispose]: async () => {
        remove();
      },
    };
  }

  #announced(roomId: string, announcement: Parameters<Parameters<typeof openBus>[1]['announced']>[1]): void {
    if (!this.#followers.has(roomId)) return;
    const before = this.#reading.get(roomId);
    if (announcement.kind !== 'unread') {
      if (before) void before.then(() => this.#followers.tell(roomId, announcement));
      else this.#followers.tell(roomId, announcement);
      return;
    }
    const { from, count } = announcement;
    const reading = (before ?? Promise.resolve())
      .then(() => this.#slice(roomId, count, sql`${from - 1}::bigint`, () => undefined))
      .then(
        ({ head, entries }) => this.#followers.tell(roomId, { kind: 'entries', epoch: head.epoch, entries }),
        () => this.#followers.tell(roomId, { kind: 'uncertain' }),
      )
      .finally(() => {
        if (this.#reading.get(roomId) === reading) this.#reading.delete(roomId);
      });
    this.#reading.set(roomId, reading);
  }

  async signal(roomId: string, announcement: Extract<Announcement, { kind: 'typing' | 'member-removed' }>) {
    await this.#bus.announce(roomId, announcement);
  }

  async room(roomId: string): Promise<RoomRecord | undefined> {
    const { rows } = await sql<{ record: string | null }>`select record from chat.room
      where room_id = ${roomId}`.execute(this.#db);
    return rows[0]?.record ? JSON.parse(rows[0].record) : undefined;
  }

  async putRoom(record: RoomRecord, expected: number): Promise<{ written: boolean; record: RoomRecord | undefined }> {
    const { roomId, spec } = record;
    const wanted = { ...record, version: nextVersion(record, expected) };
    const answer = await this.#call<{ record: string | null } | null>(
      sql`chat.put_room(${roomId}, ${JSON.stringify(wanted)}, ${expected}, ${spec.maxMessages},
        ${spec.maxAgeSeconds * 1000}::bigint, ${newEpoch()}, ${this.#bus.notifies})`,
    );
    if (answer) return { written: false, record: answer.record ? JSON.parse(answer.record) : undefined };
    this.#recordChanged(roomId, wanted.version);
    return { written: true, record: wanted };
  }

  async deleteRoom(roomId: string, expected: number, keepHistory: boolean): Promise<boolean> {
    const deleted = await this.#call<boolean>(
      sql`chat.delete_room(${roomId}, ${expected}, ${keepHistory}, ${this.#bus.notifies})`,
    );
    if (deleted) this.#recordChanged(roomId, 0);
    return deleted;
  }

  #recordChanged(roomId: string, version: number): void {
    if (!this.#bus.notifies) void this.#bus.announce(roomId, { kind: 'record', version });
    this.#changes.touch(roomId);
  }

  async rooms(afterId: string, limit: number): Promise<RoomSummary[]> {
    const { rows } = await sql<SummaryRow>`select ${summaryColumns} from chat.room
      where record is not null and room_id > ${afterId} order by room_id limit ${limit}`.execute(this.#db);
    return rows.map(toSummary);
  }

  async summaries(roomIds: string[]): Promise<RoomSummary[]> {
    const { rows } = await sql<SummaryRow>`select ${summaryColumns} from chat.room
      where record is not null and room_id in (select jsonb_array_elements_text(${JSON.stringify(roomIds)}::jsonb))
      order by room_id`.execute(this.#db);
    return rows.map(toSummary);
  }

  async followRooms(listener: (roomIds: string[] | undefined) => void): Promise<AsyncDisposable> {
    await this.#bus.ready();
    return this.#changes.follow(listener);
  }

  async enter(roomId: string, { userId, username }: Member, notice: Draft, capacity?: number, seen?: Position) {
    const pod = await this.#lease.pod();
    const { control, bodies } = packDrafts([notice]);
    const answer = await this.#call<Written | { k: 'no-room' } | { k: 'present' } | { k: 'full' }>(
      sql`chat.enter(${roomId}, ${pod}, ${userId}, ${username}, ${capacity ?? null}::integer, ${control}::jsonb,
        ${bodies}, ${seenArgs(seen)}, ${this.#bus.notifies})`,
    );
    if (answer.k === 'no-room') throw noRoom(roomId);
    if (answer.k === 'present') return { joined: false };
    if (answer.k === 'full') return { joined: false, full: true };
    const [outcome] = this.#written(roomId, [notice], answer);
    return { joined: true, ...(outcome && { outcome }) };
  }

  async leave(roomId: string, userId: string, notice: Draft, seen?: Position): Promise<{ left: boolean }> {
    const pod = this.#lease.current;
    if (pod === undefined) return { left: false };
    return { left: (await this.#leave(roomId, pod, [userId], [notice], seen)) > 0 };
  }

  async #leave(roomId: string, pod: string, userIds: string[], notices: Draft[], seen?: Position): Promise<number> {
    const { control, bodies } = packDrafts(notices);
    const answer = await this.#call<Written & { left: number[] }>(
      sql`chat.leave(${roomId}, ${pod}, array(select jsonb_array_elements_text(${JSON.stringify(userIds)}::jsonb)),
        ${control}::jsonb, ${bodies}, ${seenArgs(seen)}, ${this.#bus.notifies})`,
    );
    const written = answer.left.map((place) => notices[place - 1] as Draft);
    if (answer.o.length > 0) this.#written(roomId, written, answer);
    return answer.left.length;
  }

  async members(roomId: string): Promise<Member[]> {
    const { rows } = await sql<{ user_id: string; username: string }>`select distinct on (user_id) user_id, username
      from chat.member where room_id = ${roomId} order by user_id`.execute(this.#db);
    return rows.map(({ user_id, username }) => ({ userId: user_id, username }));
  }

  renewLease(final = false, streams?: number): Promise<{ lapsed: boolean }> {
    return this.#lease.renew(final, streams);
  }

  async loads(): Promise<Map<string, number>> {
    const { rows } = await sql<{ pod: string; streams: number }>`select pod, streams from chat.lease
      where ends_ms > chat.now_ms()`.execute(this.#db);
    return new Map(rows.map(({ pod, streams }) => [pod, streams]));
  }

  async sweep(
    notice: (roomId: string, member: Member) => Draft,
    seen: (roomId: string) => Position | undefined = () => undefined,
  ): Promise<void> {
    const { rows } = await sql<{ pod: string; room_id: string; user_id: string; username: string }>`
      select pod, room_id, user_id, username from chat.member
      where pod not in (select pod from chat.lease where ends_ms > chat.now_ms())
      order by pod, room_id, user_id`.execute(this.#db);
    const rooms = Map.groupBy(rows, ({ pod, room_id }) => JSON.stringify([pod, room_id]));
    for (const members of rooms.values()) {
      const { pod, room_id: roomId } = members[0] as (typeof rows)[number];
      // Bounded: a room is locked for as long as a step takes.
      for (let at = 0; at < members.length; at += 200) {
        const some = members.slice(at, at + 200);
        const notices = some.map(({ user_id, username }) => notice(roomId, { userId: user_id, username }));
        await this.#leave(
          roomId,
          pod,
          some.map(({ user_id }) => user_id),
          notices,
          seen(roomId),
        );
      }
    }
    // A pod that was let go enters nobody: its own clock says so earlier.
    await sql`delete from chat.lease l where ends_ms < chat.now_ms() - ${leaseMs}
      and not exists (select from chat.member m where m.pod = l.pod)`.execute(this.#db);
  }

  async markRead(userId: string, roomId: string, { epoch, sequence }: Position): Promise<void> {
    await sql`insert into chat.read_mark as mark values (${userId}, ${roomId}, ${epoch}, ${sequence})
      on conflict (user_id, room_id) do update set epoch = excluded.epoch, sequence = excluded.sequence
      where mark.epoch <> excluded.epoch or mark.sequence < excluded.sequence`.execute(this.#db);
  }

  async readMarks(userId: string, roomIds: string[]): Promise<Map<string, ReadMark>> {
    // What comes after the mark begins with a message that knows its number: no counting.
    const { rows } = await sql<{ room_id: string; epoch: string; sequence: string; unread: string }>`
      select k.room_id, k.epoch, k.sequence, case when k.epoch <> r.epoch then r.texts - r.texts_gone else coalesce(
        (select r.texts - m.nth + 1 from chat.message m where m.room_id = k.room_id and m.is_text and m.sequence > k.sequence
          order by m.sequence limit 1), 0) end as unread
      from chat.read_mark k join chat.room r using (room_id)
      where k.user_id = ${userId} and k.room_id in (select jsonb_array_elements_text(${JSON.stringify(roomIds)}::jsonb))`.execute(
      this.#db,
    );
    return new Map(
      rows.map(({ room_id, epoch, sequence, unread }) => [
        room_id,
        { position: { epoch, sequence: Number(sequence) }, unread: Number(unread) },
      ]),
    );
  }

  async check(): Promise<void> {
    await this.#database.check();
    await this.#bus.ready();
  }

  /** Calls one function of schema.sql. */
  async #call<Answer>(call: RawBuilder<unknown>): Promise<Answer> {
    const { rows } = await sql<{ answer: Answer }>`select ${call} as answer`.execute(this.#db);
    return (rows[0] as { answer: Answer }).answer;
  }

  /** Lets go of followers and connections; the database is its owner's. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#changes[Symbol.dispose]();
    await this.#bus[Symbol.asyncDispose]();
  }
}

/** For chat.write: what was seen of the room, and an epoch for a log that is behind it. */
const seenArgs = (seen: Position | undefined) =>
  sql`${seen?.epoch ?? null}, ${seen?.sequence ?? null}::bigint, ${newEpoch()}`;
