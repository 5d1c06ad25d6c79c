/**
 * Sends on their way into the log: those of one room that come at the same time travel as one step, in order. The steps of
 * all rooms start in rounds, so that they leave, are answered and are handed on together: what a round costs is much the
 * same for one room as for many.
 */
import { type AppError, activeTrace, inTrace, unavailable } from '@parley/kit';
import type { ChatLog, Draft, Outcome, Position } from '../log/log.ts';
import { type Actor, whyNotSend } from '../rooms/access.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { absent, type Rooms } from '../rooms/rooms.ts';
import type { SeenPositions } from './seen.ts';

/** What became of a send that was taken: appended, or said before. */
export type Sent = Extract<Outcome, { id: string }>;

/** One send, and whom to tell. */
export interface Wish {
  actor: Actor;
  draft: Draft;
  sent(outcome: Sent): void;
  failed(error: AppError): void;
  /** The trace that it was sent in: a step goes on in that of its first. */
  trace?: ReturnType<typeof activeTrace>;
}

const mostPerStep = 512;
/** Between two rounds of a busy pod, so that more goes in one. */
const mostPauseMs = 2;
const mostBytesPerStep = 1024 * 1024;
/** A room that takes no more for now: senders hear when to try again. */
const mostWaiting = 20_000;
const mostAttempts = 10;

export interface OutboxParts {
  log: ChatLog;
  rooms: Rooms;
  seen: SeenPositions;
  /** A step was taken. */
  stepped(drafts: number): void;
}

/** A room that has something to send. */
interface Busy {
  waiting: Wish[];
  /** One step at a time: the next one comes after it in the log. */
  underWay: boolean;
}

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #busy = new Map<string, Busy>();
  #scheduled = false;
  /** When the next round may start. */
  #dueAt = 0;

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  send(roomId: string, wish: Wish): void {
    wish.trace = activeTrace();
    const room = this.#busy.get(roomId);
    if (room === undefined) {
      this.#busy.set(roomId, { waiting: [wish], underWay: false });
      this.#soon();
    } else if (room.waiting.length < mostWaiting) room.waiting.push(wish);
    else wish.failed(unavailable(`room ${roomId} has ${mostWaiting} messages waiting: try again`, 500));
  }

  /** Sends one thing and waits for it. @throws AppError. */
  sendOne(roomId: string, actor: Actor, draft: Draft): Promise<Sent> {
    return new Promise((sent, failed) => this.send(roomId, { actor, draft, sent, failed }));
  }

  #soon(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    const wait = this.#dueAt - performance.now();
    // Whatever else comes in this turn of the event loop goes along.
    if (wait <= 0.5) setImmediate(this.#round);
    else setTimeout(this.#round, wait);
  }

  readonly #round = (): void => {
    this.#scheduled = false;
    const startedAt = performance.now();
    const steps: [string, Busy, Wish[]][] = [];
    let wishes = 0;
    for (const [roomId, room] of this.#busy) {
      if (room.underWay) continue;
      const step = room.waiting.splice(0, fitting(room.waiting));
      steps.push([roomId, room, step]);
      wishes += step.length;
    }
    for (const step of steps) void this.#take(...step, wishes > 1 ? startedAt : undefined);
  };

  async #take(roomId: string, room: Busy, step: Wish[], busySince: number | undefined): Promise<void> {
    room.underWay = true;
    try {
      await inTrace(step[0]?.trace, () => this.#step(roomId, step));
    } catch (error) {
      for (const wish of step) wish.failed(error as AppError);
    }
    room.underWay = false;
    if (busySince !== undefined) {
      // Who was just answered says the next thing in a moment: the next round is for him too.
      const now = performance.now();
      this.#dueAt = now + Math.min(mostPauseMs, now - busySince);
    }
    if (room.waiting.length > 0) this.#soon();
    else this.#busy.delete(roomId);
  }

  async #step(roomId: string, step: Wish[]): Promise<void> {
    const { log, rooms, seen } = this.#parts;
    let wishes = step;
    const known = rooms.known(roomId);
    let record = known ?? (await rooms.read(roomId));
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      if (record === undefined) break;
      const { allowed, refused } = decide(wishes, record);
      // What is allowed by an old record is found out by the step; what is refused has to be asked.
      if (refused.length > 0 && record === known) {
        record = await rooms.read(roomId);
        if (record !== known) continue;
      }
      for (const { wish, error } of refused) wish.failed(error);
      wishes = allowed;
      if (wishes.length === 0) return;
      const drafts = wishes.map((wish) => wish.draft);
      const answer = await log.append(roomId, record.version, drafts, seen.of(roomId));
      if (answer.kind === 'done') {
        this.#tell(roomId, wishes, answer.outcomes);
        return;
      }
      record = answer.kind === 'stale' ? answer.record : undefined;
      rooms.learn(roomId, record);
    }
    const error = record === undefined ? absent(roomId) : unavailable(`room ${roomId} changes too often: try again`);
    for (const wish of wishes) wish.failed(error);
  }

  #tell(roomId: string, wishes: Wish[], outcomes: Outcome[]): void {
    let last: Position | undefined;
    for (let i = 0; i < wishes.length; i++) {
      const outcome = outcomes[i]!;
      if (outcome.kind === 'refused') wishes[i]!.failed(outcome.error);
      else {
        if (outcome.kind === 'appended') last = outcome.position;
        wishes[i]!.sent(outcome);
      }
    }
    if (last) this.#parts.seen.note(roomId, last);
    this.#parts.stepped(wishes.length);
  }
}

/** How many go in one step: it holds the store up for everybody. */
function fitting(waiting: Wish[]): number {
  let count = 0;
  for (let bytes = 0; count < waiting.length && count < mostPerStep; count++) {
    bytes += waiting[count]!.draft.body.length;
    if (bytes > mostBytesPerStep && count > 0) break;
  }
  return count;
}

/** Those that the room allows, with its rate limit, and those that it does not. */
function decide(wishes: Wish[], record: RoomRecord): { allowed: Wish[]; refused: { wish: Wish; error: AppError }[] } {
  const nowMs = Date.now();
  const { messagesPerMinute, burst } = record.spec;
  const limited = messagesPerMinute > 0;
  const refused: { wish: Wish; error: AppError }[] = [];
  const allowed = wishes.filter((wish) => {
    // What a moderator has blanked is told, in an archived room too.
    const error = wish.draft.type === 'REMOVED' ? undefined : whyNotSend(record, wish.actor, nowMs);
    if (error) {
      refused.push({ wish, error });
      return false;
    }
    if (limited && wish.actor.standing !== 'privileged') {
      wish.draft.rate = { perMinute: messagesPerMinute, burst: Math.max(1, burst) };
    } else if (wish.draft.rate) wish.draft.rate = undefined;
    return true;
  });
  return { allowed, refused };
}
