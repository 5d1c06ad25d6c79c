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
  readonly #logs = new Map<string, Seen[]>();
  readonly #lost: string[] = [];

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
  }

  delivered(reader: string, message: Seen): void {
    this.#readers.get(reader)!.push(message);
  }

  historyLost(reader: string, reason: string): void {
    this.#lost.push(`${reader} was told ${reason}`);
  }

  /** The room's log at the end, all of it. */
  log(room: string, entries: Seen[]): void {
    this.#logs.set(room, entries);
  }

  /** Whether a reader has everything that was acknowledged in a room. */
  hasAll(reader: string, room: string): boolean {
    const seen = new Set(this.#readers.get(reader)!.map(({ content }) => content));
    for (const [content, send] of this.#sends)
      if (send.room === room && send.acknowledged && !seen.has(content)) return false;
    return true;
  }

  /** What is wrong, a line each; empty where nothing is. @param rooms which room each reader reads */
  violations(rooms: Map<string, string>): string[] {
    const wrong = [...this.#lost];
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
      const had = new Set(seen.map(({ content }) => content));
      for (const { content } of this.#logs.get(room) ?? []) {
        if (this.#sends.has(content) && !had.has(content)) wrong.push(`${reader} never saw ${content}`);
      }
    }
    return wrong.length > mostComplaints
      ? [...wrong.slice(0, mostComplaints), `and ${wrong.length - mostComplaints} more`]
      : wrong;
  }

  /** Strictly upwards within an epoch, and no content twice. */
  #checkOrder(who: string, seen: Seen[], place: (who: string, message: Seen) => void, wrong: string[]): void {
    const contents = new Set<string>();
    let before: Seen | undefined;
    for (const message of seen) {
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
