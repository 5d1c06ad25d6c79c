/**
 * The history of a run: every send, acknowledgement and delivery, and the proof that nothing was lost, repeated or put
 * in another order. Pure: it is told what happened, and says what is wrong.
 */

/** A message as some reader saw it, or as it is in the log. */
export interface Seen {
  room: string;
  id: string;
  epoch: string;
  sequence: number;
  content: string;
}

export interface Acknowledged {
  id: string;
  epoch: string;
  sequence: number;
}

interface Send {
  room: string;
  acknowledged: Acknowledged | undefined;
}

const mostComplaints = 20;

export class History {
  /** By content, which is different in every send. */
  readonly #sends = new Map<string, Send>();
  /** What each reader was sent, in his order. */
  readonly #readers = new Map<string, Seen[]>();
  /** When each reader was sent something, in his order. */
  readonly #times = new Map<string, number[]>();
  readonly #logs = new Map<string, Seen[]>();
  /** Readers who were told that history is lost, and why. */
  readonly #told = new Map<string, string>();

  get sends(): number {
    return this.#sends.size;
  }

  get acknowledged(): number {
    return [...this.#sends.values()].filter((send) => send.acknowledged).length;
  }

  get deliveries(): number {
    return [...this.#readers.values()].reduce((sum, seen) => sum + seen.length, 0);
  }

  /** Somebody begins to say something: with retries or without, it is one send. */
  sent(room: string, content: string): void {
    if (this.#sends.has(content)) throw new Error(`${content} is sent twice: every send needs its own content`);
    this.#sends.set(content, { room, acknowledged: undefined });
  }

  acknowledge(content: string, acknowledged: Acknowledged): void {
    const send = this.#sends.get(content) as Send;
    send.acknowledged = acknowledged;
  }

  /** A reader who is there from before the first send to after the last one, whatever streams he needs for it. */
  reader(name: string): void {
    this.#readers.set(name, []);
    this.#times.set(name, []);
  }

  delivered(reader: string, message: Seen): void {
    this.#readers.get(reader)!.push(message);
    this.#times.get(reader)!.push(performance.now());
  }

  historyLost(reader: string, reason: string): void {
    this.#told.set(reader, reason);
  }

  /**
   * How long a reader heard nothing, at the most, between two moments in which his room was spoken in all the time: of all
   * readers, the one at this share of them.
   */
  longestGapMs(fromMs: number, toMs: number, share: number): number {
    const gaps = [...this.#times.values()].map((times) => {
      const within = [fromMs, ...times.filter((ms) => ms > fromMs && ms < toMs), toMs];
      return Math.max(...within.slice(1).map((ms, i) => ms - within[i]!));
    });
    return gaps.sort((a, b) => a - b)[Math.ceil(gaps.length * share) - 1] as number;
  }

  /** The room's log at the end, all of it. */
  log(room: string, entries: Seen[]): void {
    this.#logs.set(room, entries);
  }

  /** Whether a reader has everything that was acknowledged in a room. */
  hasAll(reader: string, room: string): boolean {
    const messages = this.#readers.get(reader)!;
    const seen = new Set(messages.map(({ content }) => content));
    const epoch = this.#told.has(reader) ? messages.at(-1)?.epoch : undefined;
    for (const [content, { room: where, acknowledged }] of this.#sends) {
      if (where !== room || acknowledged === undefined || seen.has(content)) continue;
      // What the log has lost nobody waits for.
      if (epoch === undefined || acknowledged.epoch === epoch) return false;
    }
    return true;
  }

  /**
   * What is wrong, a line each; empty where nothing is.
   * @param rooms which room each reader reads
   * @param mayLose whether a log may lose its tail, if all who read it are told: the messages of such a room may be missing,
   * and come again under another epoch, but are in one order within each
   */
  violations(rooms: Map<string, string>, mayLose = false): string[] {
    const wrong: string[] = [];
    const lost = new Set<string>();
    for (const [reader, reason] of this.#told) {
      if (mayLose && reason === 'HISTORY_LOST_EPOCH_CHANGED') lost.add(rooms.get(reader) as string);
      else wrong.push(`${reader} was told ${reason}`);
    }
    for (const [reader, room] of rooms) {
      if (lost.has(room) && !this.#told.has(reader)) wrong.push(`${reader} was not told what ${room} has lost`);
    }
    const places = new Map<string, Seen>();
    const place = (who: string, message: Seen) => {
      const key = `${message.room} ${message.epoch}-${message.sequence}`;
      const known = places.get(key);
      if (known === undefined) places.set(key, message);
      else if (known.id !== message.id) wrong.push(`${who} saw ${message.id} at ${key}; another saw ${known.id} there`);
    };
    for (const [room, entries] of this.#logs) this.#checkOrder(`the log of ${room}`, entries, place, wrong);
    for (const [reader, seen] of this.#readers) this.#checkOrder(reader, seen, place, wrong);
    for (const [content, { room, acknowledged }] of this.#sends) {
      if (lost.has(room)) continue;
      const log = this.#logs.get(room)?.filter((entry) => entry.content === content) ?? [];
      if (log.length > 1) wrong.push(`${content} is in the log ${log.length} times`);
      if (acknowledged === undefined) continue;
      if (log.length === 0) wrong.push(`${content} was acknowledged and is not in the log`);
      else if (log[0]!.id !== acknowledged.id || log[0]!.sequence !== acknowledged.sequence) {
        wrong.push(`${content} was acknowledged as ${acknowledged.sequence} and is in the log as ${log[0]!.sequence}`);
      }
    }
    for (const [reader, seen] of this.#readers) {
      const room = rooms.get(reader) as string;
      if (lost.has(room)) continue;
      const had = new Set(seen.map(({ content }) => content));
      for (const { content } of this.#logs.get(room) ?? []) {
        if (this.#sends.has(content) && !had.has(content)) wrong.push(`${reader} never saw ${content}`);
      }
    }
    return wrong.length > mostComplaints
      ? [...wrong.slice(0, mostComplaints), `and ${wrong.length - mostComplaints} more`]
      : wrong;
  }

  /** Strictly upwards within an epoch, and no content twice in it. */
  #checkOrder(who: string, seen: Seen[], place: (who: string, message: Seen) => void, wrong: string[]): void {
    const contents = new Set<string>();
    let before: Seen | undefined;
    for (const message of seen) {
      if (before && before.epoch !== message.epoch) contents.clear();
      if (before && before.epoch === message.epoch && message.sequence <= before.sequence) {
        wrong.push(`${who} saw ${message.sequence} after ${before.sequence}`);
      }
      if (this.#sends.has(message.content)) {
        if (contents.has(message.content)) wrong.push(`${who} saw ${message.content} twice`);
        contents.add(message.content);
      }
      place(who, message);
      before = message;
    }
  }
}
