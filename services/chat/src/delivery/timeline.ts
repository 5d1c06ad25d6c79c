/**
 * A room's log as a pod has it in memory: the newest entries, one after the other. Pure: it says what it is missing, and
 * whoever owns it reads the log.
 */
import { isText } from '../log/codec.ts';
import type { Entry, Position, Slice } from '../log/log.ts';

/** Beyond what a joiner is shown, this much is kept for those who resume or fall behind. */
const mostBytes = 1024 * 1024;
/** What an entry costs beside its bytes. */
const entryOverhead = 200;

/** `gap`: entries are missing before these. `other-epoch`: they are of another log. Either way: read the log. */
export type Taken = 'taken' | 'nothing-new' | 'gap' | 'other-epoch';

export class Timeline {
  readonly epoch: string;
  /** Everything that the log keeps after this is here. */
  #floor: number;
  /** Up to here the log had trimmed texts when it was read: notices from before may be here. */
  readonly #trimmed: number;
  #last: number;
  #entries: Entry[];
  /** How many bytes there were before each entry, since this timeline began. */
  #offsets: number[] = [];
  #total = 0;
  /** What is held in memory. */
  #bytes = 0;
  #texts = 0;
  /** How many texts stay however long they are. */
  readonly atLeastTexts: number;

  /** From the newest piece of the log. @param atLeastTexts how many texts it was asked for */
  constructor(tail: Slice, atLeastTexts: number) {
    this.epoch = tail.head.epoch;
    this.#last = tail.head.sequence;
    this.#entries = [];
    this.#floor = tail.entries[0] ? tail.entries[0].sequence - 1 : tail.head.sequence;
    this.#trimmed = tail.trimmed;
    this.atLeastTexts = atLeastTexts;
    for (const entry of tail.entries) this.#push(entry);
  }

  /** The sequence of the newest entry. */
  get last(): number {
    return this.#last;
  }

  get head(): Position {
    return { epoch: this.epoch, sequence: this.#last };
  }

  get floor(): number {
    return this.#floor;
  }

  /** Entries as they were announced: consecutive. */
  announced(epoch: string, entries: readonly Entry[]): Taken {
    if (epoch !== this.epoch) return 'other-epoch';
    const fresh =
      entries[0] && entries[0].sequence > this.#last ? entries : entries.filter((e) => e.sequence > this.#last);
    const first = fresh[0];
    if (first === undefined) return 'nothing-new';
    if (first.sequence !== this.#last + 1) return 'gap';
    this.#append(fresh);
    return 'taken';
  }

  /**
   * What the log gave for everything after `after`, of this epoch and not lost. A jump in it is what was trimmed.
   * `after` may be behind the end by now: what is known is left out.
   */
  read(after: number, slice: Slice): Taken {
    if (slice.head.epoch !== this.epoch) return 'other-epoch';
    if (after > this.#last) return 'gap';
    const before = this.#last;
    this.#append(slice.entries.filter((entry) => entry.sequence > this.#last));
    if (!slice.more) this.#last = Math.max(this.#last, slice.head.sequence);
    return this.#last > before ? 'taken' : 'nothing-new';
  }

  /** Whether everything that the log keeps after this sequence is here. */
  covers(sequence: number): boolean {
    return sequence >= this.#floor && sequence <= this.#last;
  }

  /** Whether everything that there ever was after this sequence is here: who has what is before it has missed nothing. */
  hasAllAfter(sequence: number): boolean {
    return sequence >= this.#trimmed && this.covers(sequence);
  }

  /** The entries after a sequence that is covered, up to about so many bytes. */
  after(sequence: number, bytes = Number.POSITIVE_INFINITY): Entry[] {
    const entries = this.#entries;
    const start = this.#indexAfter(sequence);
    if (bytes === Number.POSITIVE_INFINITY) return start === 0 ? [...entries] : entries.slice(start);
    let end = start;
    for (let size = 0; end < entries.length && (end === start || size < bytes); end++)
      size += entries[end]!.bytes.length;
    return entries.slice(start, end);
  }

  /** How many bytes there are after a sequence, as far as they are here. */
  bytesAfter(sequence: number): number {
    const at = this.#indexAfter(sequence);
    return at === this.#entries.length ? 0 : this.#total - this.#offsets[at]!;
  }

  /** Where the newest so many texts begin: what to show after. */
  beforeTexts(texts: number): number {
    if (texts === 0) return this.#last;
    let left = texts;
    for (let i = this.#entries.length - 1; i >= 0; i--) {
      if (isText(this.#entries[i]!.type) && --left === 0) return this.#entries[i]!.sequence - 1;
    }
    return this.#floor;
  }

  /**
   * Lets go of what the room does not keep any more: all but its newest texts, and what is older than `sinceMs`. Whoever asks
   * for that is told by the log what is left of it.
   * @param upTo nothing after this sequence, which there are still readers for
   */
  forget(mostTexts: number, sinceMs: number, upTo: number): void {
    let drop = 0;
    for (const entry of this.#entries) {
      if (entry.sequence > upTo || (this.#texts <= mostTexts && entry.timestampMs >= sinceMs)) break;
      this.#count(entry, -1);
      drop++;
    }
    this.#dropFirst(drop);
  }

  /** Puts other bytes in an entry's place: it was blanked. */
  replace(id: string, blanked: (entry: Entry) => Entry): void {
    const at = this.#entries.findLastIndex((entry) => entry.id === id);
    if (at < 0) return;
    const [before, after] = [this.#entries[at]!, blanked(this.#entries[at]!)];
    this.#bytes += after.bytes.length - before.bytes.length;
    this.#entries[at] = after;
  }

  #append(fresh: readonly Entry[]): void {
    if (fresh.length === 0) return;
    for (const entry of fresh) this.#push(entry);
    this.#last = fresh.at(-1)!.sequence;
    if (this.#bytes > 2 * mostBytes) this.#shorten();
  }

  /** In one go, since shifting one by one moves all the others each time. */
  #shorten(): void {
    let drop = 0;
    while (this.#bytes > mostBytes && drop < this.#entries.length - 1) {
      const entry = this.#entries[drop]!;
      if (isText(entry.type) && this.#texts <= this.atLeastTexts) break;
      this.#count(entry, -1);
      drop++;
    }
    this.#dropFirst(drop);
  }

  #dropFirst(drop: number): void {
    if (drop === 0) return;
    this.#floor = this.#entries[drop - 1]!.sequence;
    this.#entries = this.#entries.slice(drop);
    this.#offsets = this.#offsets.slice(drop);
  }

  #push(entry: Entry): void {
    this.#entries.push(entry);
    this.#offsets.push(this.#total);
    this.#total += entry.bytes.length;
    this.#count(entry, 1);
  }

  #count(entry: Entry, sign: 1 | -1): void {
    this.#bytes += sign * (entry.bytes.length + entryOverhead);
    if (isText(entry.type)) this.#texts += sign;
  }

  #indexAfter(sequence: number): number {
    const entries = this.#entries;
    let low = 0;
    let high = entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (entries[middle]!.sequence > sequence) high = middle;
      else low = middle + 1;
    }
    return low;
  }
}
