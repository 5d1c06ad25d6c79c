/**
 * Who is in which room through this pod. A member's first stream brings him in, and five seconds after his last one has
 * gone he is let go, so that a reconnect writes nothing. The log counts the pods that have him, and writes JOIN and LEAVE.
 */
import { AppError, type Logger, repeat } from '@parley/kit';
import type { ChatLog, Member, Position } from '../log/log.ts';
import { joinNotice, leaveNotice } from '../messages/draft.ts';

const goneAfterMs = 5000;
const tidyEveryMs = 250;
const renewEveryMs = 5000;
const sweepEveryMs = 3000;
const retryMs = 1000;

interface Presence {
  roomId: string;
  member: Member;
  streams: number;
  /** Entering or leaving, one after the other. */
  work: Promise<unknown> | undefined;
  /** Whether the log has him in the room through this pod; `unsure` where its answer was lost, or the log is another one. */
  entered: 'no' | 'unsure' | 'yes';
  leaveAtMs: number;
}

export interface PresenceParts {
  log: ChatLog;
  logger: Logger;
  /** The highest position that this pod has seen of a room. */
  seen(roomId: string): Position | undefined;
  /** How many streams this pod has, said with its lease. */
  streams(): number;
}

export class Presences implements AsyncDisposable {
  readonly #parts: PresenceParts;
  readonly #rooms = new Map<string, Map<string, Presence>>();
  /** Those without a stream, who are to leave. */
  readonly #leaving = new Set<Presence>();
  readonly #work: AsyncDisposable[];
  #final = false;

  constructor(parts: PresenceParts) {
    this.#parts = parts;
    const { log, logger } = parts;
    this.#work = [
      repeat('presence.lease', renewEveryMs, logger, async () => {
        if (this.#final) return;
        const { lapsed } = await log.renewLease(false, parts.streams());
        if (lapsed) for (const roomId of [...this.#rooms.keys()]) await this.reenter(roomId);
      }),
      repeat('presence.sweep', sweepEveryMs, logger, () => log.sweep(leaveNotice, parts.seen)),
      repeat('presence.tidy', tidyEveryMs, logger, async () => this.#tidy()),
    ];
  }

  /**
   * One more stream of the member. @returns where his JOIN is, if he was not there before.
   * @throws AppError RESOURCE_EXHAUSTED where the room is full.
   */
  async enter(roomId: string, member: Member, capacity: number | undefined): Promise<Position | undefined> {
    const presence = this.#of(roomId, member);
    presence.streams++;
    this.#leaving.delete(presence);
    try {
      while (presence.work) await presence.work.catch(() => undefined);
      if (presence.entered === 'yes') return undefined;
      const entering = this.#enter(presence, capacity);
      presence.work = entering;
      try {
        return await entering;
      } finally {
        if (presence.work === entering) presence.work = undefined;
      }
    } catch (error) {
      this.leave(roomId, member.userId);
      throw error;
    }
  }

  /** A stream of the member has ended. */
  leave(roomId: string, userId: string): void {
    const presence = this.#rooms.get(roomId)?.get(userId);
    if (presence === undefined || presence.streams === 0 || --presence.streams > 0) return;
    if (presence.entered === 'no' && presence.work === undefined) this.#forget(presence);
    else this.#leaveIn(goneAfterMs, presence);
  }

  /** He was sent away: gone at once, not after a while. */
  expel(roomId: string, userId: string): void {
    const presence = this.#rooms.get(roomId)?.get(userId);
    if (presence && presence.entered !== 'no' && presence.work === undefined) void this.#leave(presence);
  }

  /** The room is gone, and who was in it with it: one of that name is another room. */
  gone(roomId: string): void {
    for (const presence of this.#rooms.get(roomId)?.values() ?? []) this.#doubt(presence);
  }

  /** The room's log is another one, which knows nobody: those who are here enter it. */
  async reenter(roomId: string): Promise<void> {
    for (const presence of this.#rooms.get(roomId)?.values() ?? []) {
      this.#doubt(presence);
      if (presence.streams === 0 || presence.work) continue;
      presence.work = this.#enter(presence, undefined).catch((err: unknown) => {
        this.#parts.logger.warn({ room: roomId, err: String(err) }, 'presence.not_entered');
      });
      await presence.work;
      presence.work = undefined;
    }
  }

  /** The pod goes: its members have five seconds to turn up elsewhere. */
  async final(): Promise<void> {
    this.#final = true;
    await this.#parts.log.renewLease(true, 0);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const work of this.#work) await work[Symbol.asyncDispose]();
  }

  async #enter(presence: Presence, capacity: number | undefined): Promise<Position | undefined> {
    const { roomId, member } = presence;
    const { log, seen } = this.#parts;
    const entering = log.enter(roomId, member, joinNotice(roomId, member), capacity, seen(roomId));
    const { joined, outcome, full } = await entering.catch((error: unknown) => {
      // What failed may have been done: he is in the room until he has left it.
      presence.entered = error instanceof AppError && error.code === 'NOT_FOUND' ? 'no' : 'unsure';
      throw error;
    });
    if (full) {
      presence.entered = 'no';
      throw new AppError('RESOURCE_EXHAUSTED', `room ${roomId} is full: it has ${capacity} members`, {
        reason: 'ROOM_FULL',
        retryAfterMs: 10_000,
      });
    }
    presence.entered = 'yes';
    return joined && outcome && outcome.kind !== 'refused' ? outcome.position : undefined;
  }

  /** He comes again as if he had not been here; he leaves as if he had. */
  #doubt(presence: Presence): void {
    presence.entered = 'unsure';
    // What is under way may have been done before.
    const { work } = presence;
    void work
      ?.catch(() => undefined)
      .then(() => {
        if (presence.entered === 'yes') presence.entered = 'unsure';
      });
  }

  #tidy(): void {
    if (this.#final) return;
    const now = performance.now();
    for (const presence of this.#leaving) {
      if (presence.leaveAtMs > now || presence.work) continue;
      this.#leaving.delete(presence);
      void this.#leave(presence);
    }
  }

  async #leave(presence: Presence): Promise<void> {
    const { roomId, member } = presence;
    const { log, seen } = this.#parts;
    const leaving = log.leave(roomId, member.userId, leaveNotice(roomId, member), seen(roomId));
    presence.work = leaving;
    try {
      await leaving;
      presence.entered = 'no';
      if (presence.streams === 0) this.#forget(presence);
    } catch (err) {
      this.#parts.logger.debug({ room: roomId, err: String(err) }, 'presence.not_left');
      presence.entered = 'unsure';
      if (presence.streams === 0) this.#leaveIn(retryMs, presence);
    } finally {
      presence.work = undefined;
    }
  }

  #leaveIn(ms: number, presence: Presence): void {
    presence.leaveAtMs = performance.now() + ms;
    this.#leaving.add(presence);
  }

  #of(roomId: string, member: Member): Presence {
    let room = this.#rooms.get(roomId);
    if (room === undefined) {
      room = new Map();
      this.#rooms.set(roomId, room);
    }
    let presence = room.get(member.userId);
    if (presence === undefined) {
      presence = { roomId, member, streams: 0, work: undefined, entered: 'no', leaveAtMs: 0 };
      room.set(member.userId, presence);
    }
    return presence;
  }

  #forget(presence: Presence): void {
    this.#leaving.delete(presence);
    const { roomId, member } = presence;
    const room = this.#rooms.get(roomId);
    if (room?.get(member.userId) !== presence) return;
    room.delete(member.userId);
    if (room.size === 0) this.#rooms.delete(roomId);
  }
}
