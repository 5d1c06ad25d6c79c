/** The newest messages of a room, bounded: who comes back after a short while is served from here. */
import type { Entry } from './entry.ts';
import type { Position } from './position.ts';

const mostEntries = 512;
const mostCharacters = 512 * 1024;

/** Everything that the room keeps after `floor`, up to the head of the live feed. */
export class Recent {
  #floor: Position;
  #entries: Entry[] = [];
  #characters = 0;

  constructor(floor: Position) {
    this.#floor = floor;
  }

  push(entry: Entry): void {
    if (entry.removes !== '') this.#blank(entry.removes);
    this.#entries.push(entry);
    this.#characters += entry.json.length;
    // In one go, since shifting one by one moves all the others each time.
    if (this.#entries.length >= 2 * mostEntries || this.#characters >= 2 * mostCharacters) this.#shorten();
  }

  /** Whether everything after this place is here. */
  covers({ epoch, sequence }: Position): boolean {
    return epoch === this.#floor.epoch && sequence >= this.#floor.sequence;
  }

  after(sequence: number): Entry[] {
    const all = this.#entries;
    let start = all.length;
    while (start > 0 && all[start - 1]!.sequence > sequence) start--;
    return all.slice(start);
  }

  #shorten(): void {
    let dropped = 0;
    while (this.#entries.length - dropped > mostEntries || this.#characters > mostCharacters) {
      this.#characters -= this.#entries[dropped]!.json.length;
      dropped++;
    }
    const last = this.#entries[dropped - 1]!;
    this.#floor = { epoch: last.epoch, sequence: last.sequence };
    this.#entries = this.#entries.slice(dropped);
  }

  #blank(id: string): void {
    const at = this.#entries.findIndex((entry) => entry.id === id);
    if (at >= 0) this.#entries[at] = this.#entries[at]!.blanked();
  }
}
