import type { Room__Output } from '@parley/proto/chat/Room';
import { Backoff, failureLevel, type Logger, monotonicMs, pause } from '../runtime/index.ts';
import type { RoomAdmin } from './chat.ts';
import type { Observed, SeenRoom } from './plan.ts';

export interface RoomMirrorOptions {
  admin: Pick<RoomAdmin, 'watchRooms'>;
  /** A room was made, changed or deleted. `numbersOnly`: nothing but who is there and what was said. */
  onRoom(roomId: string, numbersOnly: boolean): void;
  /** Every room may have changed: chat is there again, or has been `away` for `awayAfterMs`. */
  onAll(away: boolean): void;
  awayAfterMs?: number;
  log: Logger;
}

/**
 * All rooms as chat has them, told over one stream: asking for 10,000 rooms every 30 s would be 333 calls a second. The
 * stream is opened again when it ends, and begins with everything there is.
 */
export class RoomMirror {
  readonly #options: RoomMirrorOptions & { awayAfterMs: number };
  readonly #rooms = new Map<string, SeenRoom>();
  #synced = false;
  #lostAtMs: number | undefined;
  #error: unknown;
  /** Says that chat is away, once it has been so for long enough. */
  #awayTimer: NodeJS.Timeout | undefined;

  constructor(options: RoomMirrorOptions) {
    this.#options = { awayAfterMs: 15_000, ...options };
  }

  /** What is known of a room. */
  observe(roomId: string): Observed['chat'] {
    if (this.#away()) return 'away';
    return this.#synced ? { room: this.#rooms.get(roomId) } : 'starting';
  }

  /** Why the stream ended last; undefined while it is there. */
  get error(): unknown {
    return this.#error;
  }

  get connected(): boolean {
    return this.#synced && this.#lostAtMs === undefined;
  }

  /** What was told of a room last, for {@link put}. */
  seen(roomId: string): SeenRoom | undefined {
    return this.#rooms.get(roomId);
  }

  /**
   * Takes in what chat answered to a call, unless the stream has told something of the room since `before`: which of the
   * two is newer nobody knows, and the stream will tell it again, the answer will not come again.
   * @param before what {@link seen} gave before the call
   */
  put(room: Room__Output, before: SeenRoom | undefined): SeenRoom | undefined {
    if (this.#rooms.get(room.room_id) === before) this.#rooms.set(room.room_id, toSeen(room));
    return this.#rooms.get(room.room_id);
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const backoff = new Backoff(200, 3_000);
    while (!signal.aborted) {
      this.#lost();
      try {
        await this.#follow(signal, () => backoff.reset());
      } catch (error) {
        this.#error = error;
        const { failures } = backoff;
        if (!signal.aborted)
          this.#options.log[failureLevel(failures)]({ failures, error: String(error) }, 'rooms.watch_ended');
      }
      this.#lost();
      await pause(backoff.next(), signal);
    }
    clearTimeout(this.#awayTimer);
  }

  /** The stream is not there. One outage has one clock, however often the stream is tried meanwhile. */
  #lost(): void {
    if (this.#lostAtMs !== undefined) return;
    this.#lostAtMs = monotonicMs();
    this.#awayTimer = setTimeout(() => this.#options.onAll(true), this.#options.awayAfterMs + 50);
  }

  async #follow(signal: AbortSignal, onSynced: () => void): Promise<void> {
    let unnamed: Set<string> | undefined = new Set(this.#rooms.keys());
    for await (const { rooms, deleted, synced } of this.#options.admin.watchRooms({ room_ids: [] }, { signal })) {
      for (const room of rooms) {
        unnamed?.delete(room.room_id);
        this.#take(room);
      }
      for (const roomId of deleted) this.#drop(roomId);
      if (!synced || !unnamed) continue;
      for (const roomId of unnamed) this.#drop(roomId);
      unnamed = undefined;
      const first = !this.#synced || this.#away();
      this.#synced = true;
      this.#lostAtMs = undefined;
      this.#error = undefined;
      clearTimeout(this.#awayTimer);
      onSynced();
      this.#options.log.info({ rooms: this.#rooms.size }, 'rooms.synced');
      if (first) this.#options.onAll(false);
    }
  }

  #take(room: Room__Output): void {
    const before = this.#rooms.get(room.room_id);
    const now = toSeen(room);
    this.#rooms.set(room.room_id, now);
    if (before && JSON.stringify(before) === JSON.stringify(now)) return;
    this.#options.onRoom(room.room_id, before?.digest === now.digest && before.ownerUid === now.ownerUid);
  }

  #drop(roomId: string): void {
    if (this.#rooms.delete(roomId)) this.#options.onRoom(roomId, false);
  }

  #away(): boolean {
    return this.#lostAtMs !== undefined && monotonicMs() - this.#lostAtMs >= this.#options.awayAfterMs;
  }
}

function toSeen(room: Room__Output): SeenRoom {
  return {
    digest: room.digest,
    ownerUid: room.owner?.uid ?? '',
    members: room.members,
    messages: Number(room.messages),
    lastMessageTime: room.last_message_time,
  };
}
