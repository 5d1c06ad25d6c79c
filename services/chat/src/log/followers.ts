/** Who follows which room in this process. */
import type { Announcement } from './log.ts';

type Listener = (announcement: Announcement) => void;

export class Followers {
  readonly #rooms = new Map<string, Set<{ listener: Listener }>>();

  /** Adds a listener. @returns its end, and whether the room had none before. */
  add(roomId: string, listener: Listener): { first: boolean; remove: () => boolean } {
    const entry = { listener };
    let room = this.#rooms.get(roomId);
    const first = room === undefined;
    if (room === undefined) {
      room = new Set();
      this.#rooms.set(roomId, room);
    }
    const own = room;
    own.add(entry);
    return {
      first,
      /** True when nobody follows the room any more. */
      remove: () => {
        if (!own.delete(entry) || own.size > 0 || this.#rooms.get(roomId) !== own) return false;
        this.#rooms.delete(roomId);
        return true;
      },
    };
  }

  has(roomId: string): boolean {
    return this.#rooms.has(roomId);
  }

  rooms(): string[] {
    return [...this.#rooms.keys()];
  }

  tell(roomId: string, announcement: Announcement): void {
    const room = this.#rooms.get(roomId);
    if (room) for (const { listener } of room) listener(announcement);
  }

  tellAll(announcement: Announcement): void {
    for (const room of this.#rooms.values()) for (const { listener } of room) listener(announcement);
  }
}
