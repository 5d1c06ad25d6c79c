/** The chat log in Redis Streams: a step is one Lua script on the node that has the room (see store.lua). */
import { type Logger, unavailable } from '@parley/kit';
import { Cluster } from 'ioredis';
import type { RoomRecord } from '../../rooms/record.ts';
import { coalescing, type Step } from '../coalescing.ts';
import { newEpoch, withoutContent } from '../codec.ts';
import { Followers } from '../followers.ts';
import type {
  Announcement,
  Appended,
  ChatLog,
  Draft,
  Entry,
  Lost,
  Member,
  Outcome,
  Position,
  ReadMark,
  RoomSummary,
  Slice,
} from '../log.ts';
import { PodLease } from '../pod-lease.ts';
import { keyReused, noRoom, tooFast } from '../refusals.ts';
import { RoomChanges } from '../room-changes.ts';
import { nextVersion } from '../versions.ts';
import { type Connection, createConnection, parseRedisUrl, translate } from './connection.ts';
import { durabilityWarning } from './durability.ts';
import {
  channelOf,
  keysOf,
  keysOfStep,
  leases,
  marksOf,
  roomIndex,
  roomKey,
  roomOf,
  roomsChannel,
  roomsOf,
} from './keys.ts';
import {
  idOf,
  merge,
  packDraft,
  packDrafts,
  packSignal,
  type StreamEntry,
  unpackAnnouncement,
  unpackStreamEntry,
  withBody,
} from './packing.ts';
import { run, scripts } from './scripts.ts';
import { Subscriptions } from './subscriptions.ts';

type Written = [
  kind: Buffer,
  epoch: Buffer,
  timestampMs: number,
  first: number,
  isNew: number,
  others: [place: number, kind: Buffer, id: Buffer | number, sequence: number, timestampMs: number][],
];
type StepAnswer = Written | [kind: Buffer, record?: Buffer];
type SliceAnswer =
  | []
  | [epoch: Buffer, head: number, lost: Buffer, texts: StreamEntry[], notices: StreamEntry[], trimmed: number];
type SummaryAnswer =
  | []
  | [record: Buffer, epoch: Buffer, head: Buffer, members: number, messages: number, textMs: Buffer];

export interface RedisLogSettings {
  /** See parseRedisUrl. */
  url: string;
  log: Logger;
}

export class RedisLog implements ChatLog {
  readonly #connection: Connection;
  readonly #subscriptions: Subscriptions;
  readonly #followers = new Followers();
  readonly #changes = new RoomChanges((roomIds) => this.#publishChanges(roomIds.join(' ')));
  readonly #lease: PodLease;
  readonly #isCluster: boolean;
  readonly #publish: 'SPUBLISH' | 'PUBLISH';
  readonly append: Step;
  /** Tells this pod's steps from others', and each from the one before. */
  readonly #writer = newEpoch();
  #steps = 0;
  /** What was last wrong with a connection. */
  #problem: string | undefined;
  /** For a log that has lost its tail; another one as soon as it may have been used. */
  #nextEpoch = newEpoch();
  /** Rooms that the store knows this pod to be in, by the pod's name. */
  #entered: { pod: string; rooms: Set<string> } = { pod: '', rooms: new Set() };

  private constructor({ url, log }: RedisLogSettings) {
    const address = parseRedisUrl(url);
    this.#connection = createConnection(address);
    this.#isCluster = address.kind === 'cluster';
    this.#publish = this.#isCluster ? 'SPUBLISH' : 'PUBLISH';
    let away = false;
    this.#connection.on('error', (err: Error) => {
      if (!away) log.warn({ setting: 'REDIS_URL', err: err.message }, 'redis.away');
      away = true;
      this.#problem = err.message;
    });
    this.#connection.on('ready', () => {
      if (away) log.info({}, 'redis.back');
      away = false;
      this.#problem = undefined;
    });
    this.#subscriptions = new Subscriptions(address, this.#connection, {
      message: (channel, payload) => {
        if (channel === roomsChannel)
          this.#changes.tell(payload.length === 0 ? undefined : payload.toString().split(' '));
        else this.#followers.tell(roomOf(channel), unpackAnnouncement(payload));
      },
      uncertain: (channel) => {
        if (channel === roomsChannel) this.#changes.tell(undefined);
        else this.#followers.tell(roomOf(channel), { kind: 'uncertain' });
      },
    });
    this.append = coalescing((...step) => this.#step(...step));
    const lease = (how: string, pod: string, ttlMs: number, streams: number) =>
      run<number>(this.#connection, scripts.lease, leases, [how, pod, ttlMs, streams]);
    this.#lease = new PodLease({
      begin: async (pod, ttlMs, streams) => void (await lease('begin', pod, ttlMs, streams)),
      extend: async (pod, ttlMs, streams) => (await lease('extend', pod, ttlMs, streams)) === 1,
    });
  }

  /**
   * Connects, and warns where Redis may lose what it has acknowledged. A Redis that is away is no error: calls are refused
   * until it is there.
   * @throws Error for a URL that cannot be used.
   */
  static async open(settings: RedisLogSettings): Promise<RedisLog> {
    const opened = new RedisLog(settings);
    try {
      await opened.#connection.connect();
      const warning = durabilityWarning(await opened.#persistence());
      if (warning) settings.log.warn({ warning }, 'redis.durability');
    } catch (error) {
      settings.log.warn({ setting: 'REDIS_URL', err: (error as Error).message }, 'redis.not_reached_at_start');
    }
    return opened;
  }

  async #persistence() {
    const node = this.#connection instanceof Cluster ? this.#connection.nodes('master')[0] : this.#connection;
    try {
      const pairs = (await node?.call('config', 'get', 'append*')) as string[];
      const setting = (name: string) => pairs[pairs.indexOf(name) + 1] ?? '';
      return { appendonly: setting('appendonly'), appendfsync: setting('appendfsync') };
    } catch {
      return undefined; // An ACL without CONFIG, as hosted ones have it.
    }
  }

  async #step(roomId: string, recordVersion: number, drafts: Draft[], seen?: Position): Promise<Appended> {
    const nextEpoch = this.#nextEpoch;
    const answer = await run<StepAnswer>(
      this.#connection,
      scripts.append,
      this.#isCluster ? keysOfStep(roomId, this.#writer, drafts) : this.#keys(roomId),
      [this.#publish, recordVersion, ...seenArgs(seen, nextEpoch), this.#writer, ++this.#steps, packDrafts(drafts)],
    ).catch((error: unknown) => {
      this.#epochUsed(nextEpoch);
      throw error;
    });
    switch (answer[0].toString('latin1')) {
      case 'no-room':
        return { kind: 'no-room' };
      case 'stale':
        return { kind: 'stale', record: JSON.parse(String(answer[1])) };
      case 'repeated':
        this.#epochUsed(nextEpoch);
        throw unavailable('the answer of the chat log was lost: try again with the same idempotency_key', 100);
      default:
        return { kind: 'done', outcomes: this.#written(roomId, drafts, answer as Written) };
    }
  }

  /** Without a cluster all keys are in one place, and the first, from which the scripts know the others, is enough. */
  #keys(roomId: string): string[] {
    return this.#isCluster ? keysOf(roomId) : [roomKey(roomId)];
  }

  #epochUsed(epoch: string): void {
    if (this.#nextEpoch === epoch) this.#nextEpoch = newEpoch();
  }

  #written(roomId: string, drafts: Draft[], [, epochBytes, timestampMs, first, isNew, others]: Written): Outcome[] {
    const epoch = epochBytes.toString('latin1');
    if (isNew === 1) this.#epochUsed(epoch);
    if (isNew === 1 || others.length < drafts.length) this.#changes.touch(roomId);
    let sequence = first;
    let other = 0;
    return drafts.map(({ id }, place) => {
      const [at, kind, detail, heldSequence, heldMs] = others[other] ?? [];
      if (at !== place) return { kind: 'appended', id, position: { epoch, sequence: sequence++ }, timestampMs };
      other++;
      const why = String(kind);
      if (why === 'k') return { kind: 'refused', error: keyReused() };
      if (why === 'r') return { kind: 'refused', error: tooFast(detail as number) };
      return {
        kind: 'duplicate',
        id: String(detail),
        position: { epoch, sequence: heldSequence as number },
        timestampMs: heldMs as number,
      };
    });
  }

  async read(roomId: string, { epoch, sequence }: Position, limit: number): Promise<Slice> {
    return this.#slice(roomId, limit, ['after', epoch, sequence, limit]);
  }

  async tail(roomId: string, texts: number): Promise<Slice> {
    return this.#slice(roomId, Number.POSITIVE_INFINITY, ['tail', texts]);
  }

  async #slice(roomId: string, limit: number, args: (string | number)[]): Promise<Slice> {
    const answer = await run<SliceAnswer>(this.#connection, scripts.read, this.#keys(roomId), args);
    if (answer.length === 0) throw noRoom(roomId);
    const [epochBytes, sequence, lost, texts, notices, trimmed] = answer;
    const epoch = epochBytes.toString('latin1');
    const entries = merge(epoch, texts, notices);
    const more = entries.length > limit;
    const kept = more ? entries.slice(0, limit) : entries;
    const slice: Slice = { head: { epoch, sequence }, entries: kept, more, trimmed };
    if (lost.length > 0) slice.lost = String(lost) as Lost;
    return slice;
  }

  async blank(roomId: string, messageId: string): Promise<boolean> {
    const found = await this.#search(roomId, messageId, ['texts']);
    if (!found) return false;
    const [streamId, [, value]] = found;
    const args = [streamId, value, withBody(value, withoutContent)];
    return (await run<number>(this.#connection, scripts.blank, this.#keys(roomId), args)) === 1;
  }

  async find(roomId: string, messageId: string): Promise<Entry | undefined> {
    const found = await this.#search(roomId, messageId, ['texts', 'notices']);
    if (!found) return undefined;
    const epoch = await this.#ask(() => this.#connection.hget(roomKey(roomId), 'epoch'));
    return epoch === null ? undefined : unpackStreamEntry(epoch, found);
  }

  /** Rare (moderators), so that messages need no index: newest first, some at a time. */
  async #search(roomId: string, messageId: string, streams: string[]): Promise<StreamEntry | undefined> {
    for (const stream of streams) {
      for (let end = '+'; ; ) {
        const entries = (await this.#ask(() =>
          this.#connection.xrevrangeBuffer(`${roomKey(roomId)}:${stream}`, end, '-', 'COUNT', 200),
        )) as unknown as StreamEntry[];
        const found = entries.find(([, [, value]]) => idOf(value) === messageId);
        if (found) return found;
        const last = entries.at(-1);
        if (!last || entries.length < 200) break;
        end = `(${last[0]}`;
      }
    }
    return undefined;
  }

  async follow(roomId: string, listener: (announcement: Announcement) => void): Promise<AsyncDisposable> {
    const channel = channelOf(roomId);
    const { remove } = this.#followers.add(roomId, listener);
    const end = () => {
      if (remove()) this.#subscriptions.remove(channel);
    };
    try {
      // Also when others follow: their subscription may not have been answered yet.
      await this.#subscriptions.add(channel, this.#isCluster);
    } catch (error) {
      end();
      throw error;
    }
    return { [Symbol.asyncDispose]: async () => end() };
  }

  async signal(roomId: string, announcement: Extract<Announcement, { kind: 'typing' | 'member-removed' }>) {
    const command = this.#publish.toLowerCase() as 'publish' | 'spublish';
    await this.#ask(() => this.#connection[command](channelOf(roomId), packSignal(announcement)));
  }

  async room(roomId: string): Promise<RoomRecord | undefined> {
    const record = await this.#ask(() => this.#connection.hget(roomKey(roomId), 'record'));
    return record ? JSON.parse(record) : undefined;
  }

  async putRoom(record: RoomRecord, expected: number): Promise<{ written: boolean; record: RoomRecord | undefined }> {
    const { roomId, spec } = record;
    const wanted = { ...record, version: nextVersion(record, expected) };
    await this.#index(roomId);
    const [written, there] = await run<[number, Buffer?]>(this.#connection, scripts.putRoom, this.#keys(roomId), [
      this.#publish,
      expected,
      JSON.stringify(wanted),
      spec.maxMessages,
      spec.maxAgeSeconds * 1000,
      newEpoch(),
      `${this.#writer} ${++this.#steps}`,
      wanted.version,
    ]);
    if (written === 0) {
      return { written: false, record: there?.length ? JSON.parse(String(there)) : undefined };
    }
    // Once more: a deletion may have taken it out of the index in between.
    if (expected === 0) await this.#index(roomId);
    this.#changes.touch(roomId);
    return { written: true, record: wanted };
  }

  async #index(roomId: string): Promise<void> {
    await this.#ask(() => this.#connection.zadd(roomIndex, 0, roomId));
  }

  async deleteRoom(roomId: string, expected: number, keepHistory: boolean): Promise<boolean> {
    const args = [this.#publish, expected, keepHistory ? 1 : 0];
    const deleted = await run<number>(this.#connection, scripts.deleteRoom, this.#keys(roomId), args);
    if (deleted === 0) return false;
    await this.#ask(() => this.#connection.zrem(roomIndex, roomId));
    // Somebody may have made it anew in between.
    if (await this.room(roomId)) await this.#index(roomId);
    this.#changes.touch(roomId);
    return true;
  }

  async rooms(afterId: string, limit: number): Promise<RoomSummary[]> {
    const summaries: RoomSummary[] = [];
    for (let after = afterId; summaries.length < limit; ) {
      const start = after === '' ? '-' : `(${after}`;
      const wanted = limit - summaries.length;
      const ids = await this.#ask(() => this.#connection.zrangebylex(roomIndex, start, '+', 'LIMIT', 0, wanted));
      summaries.push(...(await this.summaries(ids)));
      if (ids.length < wanted) break;
      after = ids.at(-1) as string;
    }
    return summaries;
  }

  async summaries(roomIds: string[]): Promise<RoomSummary[]> {
    const answers = await Promise.all(
      roomIds.map((roomId) => run<SummaryAnswer>(this.#connection, scripts.summary, this.#keys(roomId), [])),
    );
    const summaries: RoomSummary[] = [];
    for (const answer of answers) {
      if (answer.length === 0) continue;
      const [record, epoch, head, members, messages, textMs] = answer;
      summaries.push({
        record: JSON.parse(String(record)),
        head: { epoch: String(epoch), sequence: Number(head) },
        members,
        messages,
        lastMessageTimeMs: textMs.length > 0 ? Number(textMs) : undefined,
      });
    }
    return summaries;
  }

  async followRooms(listener: (roomIds: string[] | undefined) => void): Promise<AsyncDisposable> {
    const following = this.#changes.follow(listener);
    try {
      await this.#subscriptions.add(roomsChannel, false);
    } catch (error) {
      await following[Symbol.asyncDispose]();
      throw error;
    }
    return following;
  }

  /** Space-separated ids; nothing: look at all. Pub/Sub that reaches every node of a cluster. */
  async #publishChanges(roomIds: string): Promise<void> {
    await this.#ask(() => this.#connection.publish(roomsChannel, roomIds));
  }

  async enter(roomId: string, { userId, username }: Member, notice: Draft, capacity = -1, seen?: Position) {
    const pod = await this.#lease.pod();
    await this.#noteRoom(pod, roomId);
    const answer = await run<StepAnswer>(this.#connection, scripts.enter, this.#keys(roomId), [
      this.#publish,
      pod,
      userId,
      username,
      capacity,
      packDraft(notice),
      ...seenArgs(seen, newEpoch()),
    ]);
    switch (answer[0].toString('latin1')) {
      case 'no-room':
        throw noRoom(roomId);
      case 'present':
        return { joined: false };
      case 'full':
        return { joined: false, full: true };
    }
    const [outcome] = this.#written(roomId, [notice], answer as Written);
    return { joined: true, ...(outcome && { outcome }) };
  }

  /** Before a pod's first member of a room: a sweep looks only where the pod has been. */
  async #noteRoom(pod: string, roomId: string): Promise<void> {
    if (this.#entered.pod !== pod) this.#entered = { pod, rooms: new Set() };
    const { rooms } = this.#entered;
    if (rooms.has(roomId)) return;
    await this.#ask(() => this.#connection.sadd(roomsOf(pod), roomId));
    rooms.add(roomId);
  }

  async leave(roomId: string, userId: string, notice: Draft, seen?: Position): Promise<{ left: boolean }> {
    const pod = this.#lease.current;
    if (pod === undefined) return { left: false };
    return { left: (await this.#leave(roomId, pod, [userId], [notice], seen)) > 0 };
  }

  async #leave(roomId: string, pod: string, userIds: string[], notices: Draft[], seen?: Position): Promise<number> {
    const [left, written] = await run<[number[], Written?]>(this.#connection, scripts.leave, this.#keys(roomId), [
      this.#publish,
      pod,
      ...seenArgs(seen, newEpoch()),
      ...userIds.flatMap((userId, at) => [userId, packDraft(notices[at] as Draft)]),
    ]);
    if (written)
      this.#written(
        roomId,
        left.map((place) => notices[place] as Draft),
        written,
      );
    return left.length;
  }

  async members(roomId: string): Promise<Member[]> {
    return (await this.#held(roomId)).map(({ userId, username }) => ({ userId, username }));
  }

  async #held(roomId: string): Promise<(Member & { pods: string[] })[]> {
    const held = await this.#ask(() => this.#connection.hgetall(`${roomKey(roomId)}:members`));
    return Object.entries(held)
      .map(([userId, value]) => {
        const line = value.indexOf('\n');
        return { userId, username: value.slice(line + 1), pods: value.slice(0, line).split(' ') };
      })
      .sort((a, b) => (a.userId < b.userId ? -1 : 1));
  }

  renewLease(final = false, streams?: number): Promise<{ lapsed: boolean }> {
    return this.#lease.renew(final, streams);
  }

  async loads(): Promise<Map<string, number>> {
    const [, streams] = await run<[Buffer[], Buffer[]]>(this.#connection, scripts.leases, leases, []);
    const loads = new Map<string, number>();
    for (let at = 0; at < streams.length; at += 2) loads.set(String(streams[at]), Number(streams[at + 1]));
    return loads;
  }

  async sweep(
    notice: (roomId: string, member: Member) => Draft,
    seen: (roomId: string) => Position | undefined = () => undefined,
  ): Promise<void> {
    const [ended] = await run<[Buffer[], Buffer[]]>(this.#connection, scripts.leases, leases, []);
    for (const pod of ended.map(String)) {
      const rooms = await this.#ask(() => this.#connection.smembers(roomsOf(pod)));
      for (const roomId of rooms) await this.#sweepRoom(roomId, pod, notice, seen);
      await this.#ask(() => this.#connection.del(roomsOf(pod)));
      await this.#ask(() => this.#connection.hdel(leases[1] as string, pod));
      await this.#ask(() => this.#connection.zrem(leases[0] as string, pod));
      // What the pod had to tell of changed rooms has gone with it.
      await this.#publishChanges('');
    }
  }

  async #sweepRoom(
    roomId: string,
    pod: string,
    notice: (roomId: string, member: Member) => Draft,
    seen: (roomId: string) => Position | undefined,
  ): Promise<void> {
    const members = (await this.#held(roomId)).filter(({ pods }) => pods.includes(pod));
    for (let at = 0; at < members.length; at += 200) {
      const some = members.slice(at, at + 200);
      const notices = some.map(({ userId, username }) => notice(roomId, { userId, username }));
      await this.#leave(
        roomId,
        pod,
        some.map(({ userId }) => userId),
        notices,
        seen(roomId),
      );
    }
  }

  async markRead(userId: string, roomId: string, { epoch, sequence }: Position): Promise<void> {
    await run(this.#connection, scripts.markRead, [marksOf(userId)], [roomId, epoch, sequence]);
  }

  async readMarks(userId: string, roomIds: string[]): Promise<Map<string, ReadMark>> {
    if (roomIds.length === 0) return new Map();
    const held = await this.#ask(() => this.#connection.hmget(marksOf(userId), ...roomIds));
    const marks = await Promise.all(
      roomIds.map(async (roomId, at): Promise<[string, ReadMark] | undefined> => {
        const mark = held[at];
        if (!mark) return undefined;
        const dash = mark.lastIndexOf('-');
        const position = { epoch: mark.slice(0, dash), sequence: Number(mark.slice(dash + 1)) };
        const args = [position.epoch, position.sequence];
        return [roomId, { position, unread: await run(this.#connection, scripts.unread, this.#keys(roomId), args) }];
      }),
    );
    return new Map(marks.filter((mark) => mark !== undefined));
  }

  async check(): Promise<void> {
    try {
      await this.#connection.exists(roomIndex);
    } catch (error) {
      // Whoever looks after it wants to know what Redis says, which callers are not told.
      throw unavailable(`REDIS_URL: ${this.#problem ?? (error as Error).message}`, 1000, error);
    }
    if (!this.#subscriptions.complete) throw unavailable('the chat log is being connected: try again', 1000);
  }

  async #ask<Answer>(command: () => Promise<Answer>): Promise<Answer> {
    try {
      return await command();
    } catch (error) {
      throw translate(error);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#changes[Symbol.dispose]();
    await this.#subscriptions[Symbol.asyncDispose]();
    this.#connection.disconnect();
  }
}

/** For store.lua's write: what was seen of the room, and an epoch for a log that is behind it. */
const seenArgs = (seen: Position | undefined, epoch: string) => [seen?.epoch ?? '', seen?.sequence ?? 0, epoch];
