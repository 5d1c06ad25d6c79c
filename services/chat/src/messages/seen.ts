import type { Position } from '../log/log.ts';

const mostKept = 50_000;

/** The highest position that this pod has seen of each room: a log that is behind it has lost its end. */
export class SeenPositions {
  readonly #positions = new Map<string, Position>();

  of(roomId: string): Position | undefined {
    return this.#positions.get(roomId);
  }

  note(roomId: string, position: Position): void {
    const known = this.#positions.get(roomId);
    if (known && known.epoch === position.epoch && known.sequence >= position.sequence) return;
    if (known === undefined && this.#positions.size >= mostKept) this.#positions.clear();
    this.#positions.set(roomId, position);
  }

  forget(roomId: string): void {
    this.#positions.delete(roomId);
  }
}
