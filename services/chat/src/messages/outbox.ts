/** Sends on their way into the log: those of one room that come at the same time travel as one step, in order. */
import { type AppError, unavailable } from '@parley/kit';
import type { ChatLog, Draft, Outcome, Position } from '../log/log.ts';
import { type Actor, whyNotSend } from '../rooms/access.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { absent, type Rooms } from '../rooms/rooms.ts';
import type { SeenPositions } from './seen.ts';

/** One send, and whom to tell. */
export interface Wish {
  actor: Actor;
  draft: Draft;
  sent(outcome: Extract<Outcome, { id: string }>): void;
  failed(error: AppError): void;
}

const mostPerStep = 512;
/** Between two steps of a busy room, so that more goes in one. */
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

export class Outbox {
  readonly #parts: OutboxParts;
  readonly #waiting = new Map<string, Wish[]>();

  constructor(parts: OutboxParts) {
    this.#parts = parts;
  }

  send(roomId: string, wish: Wish): void {
    const waiting = this.#waiting.get(roomId);
    if (waiting === undefined) {
      this.#waiting.set(roomId, [wish]);
      // Whatever else comes in this turn of the event loop goes along.
      setImmediate(() => void this.#run(roomId));
    } else if (waiting.length < mostWaiting) waiting.push(wish);
    else wish.failed(unavailable(`room ${roomId} has ${mostWaiting} messages waiting: try again`, 500));
  }

  /** Sends one thing and waits for it. @throws AppError. */
  sendOne(roomId: string, actor: Actor, draft: Draft): Promise<Extract<Outcome, { id: string }>> {
    return new Promise((sent, failed) => this.send(roomId, { actor, draft, sent, failed }));
  }

  async #run(roomId: string): Promise<void> {
    for (;;) {
      const waiting = this.#waiting.get(roomId) as Wish[];
      if (waiting.length === 0) {
        this.#waiting.delete(roomId);
        return;
      }
      const step = waiting.splice(0, fitting(waiting));
      const startedAt = performance.now();
      try {
        await this.#step(roomId, step);
      } catch (error) {
        for (const wish of step) wish.failed(error as AppError);
      }
      if (step.length === 1 && waiting.length === 0) continue;
      // Who was just answered says the next thing in a moment: the next step is for him too.
      await new Promise((resolve) => setTimeout(resolve, Math.min(mostPauseMs, performance.now() - startedAt)));
    }
  }

  async #step(roomId: string, step: Wish[]): Promise<void> {
    const { log, rooms, seen } = this.#parts;
    let wishes = step;
    const known = rooms.known(roomId);
    let record = known ?? (await rooms.read(roomId));
    // What is allowed by an old record is found out by the step; what is refused has to be asked.
    if (known && !wishes.every((wish) => whyNotSend(known, wish.actor, Date.now()) === undefined)) {
      record = await rooms.read(roomId);
    }
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      if (record === undefined) break;
      wishes = decide(wishes, record);
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
    wishes.forEach((wish, i) => {
      const outcome = outcomes[i] as Outcome;
      if (outcome.kind === 'refused') wish.failed(outcome.error);
      else {
        if (outcome.kind === 'appended') last = outcome.position;
        wish.sent(outcome);
      }
    });
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

/** Those that the room allows, with its rate limit; the others hear why not. */
function decide(wishes: Wish[], record: RoomRecord): Wish[] {
  const nowMs = Date.now();
  const { messagesPerMinute, burst } = record.spec;
  const limited = messagesPerMinute > 0;
  return wishes.filter((wish) => {
    const error = whyNotSend(record, wish.actor, nowMs);
    if (error) {
      wish.failed(error);
      return false;
    }
    if (limited && wish.actor.standing !== 'privileged') {
      wish.draft.rate = { perMinute: messagesPerMinute, burst: Math.max(1, burst) };
    } else if (wish.draft.rate) wish.draft.rate = undefined;
    return true;
  });
}
