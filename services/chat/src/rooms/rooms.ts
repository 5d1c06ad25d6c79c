/** The records of rooms as this pod knows them, and how absent rooms come to be. */
import { notFound } from '@parley/kit';
import type { ChatLog } from '../log/log.ts';
import { firstVersion } from '../log/versions.ts';
import { defaultSpec, type RoomRecord, type RoomSpec } from './record.ts';

export type RoomsMode = 'open' | 'declared';

/** A read under way, and the one that comes after it where somebody asked meanwhile. */
interface Reading {
  now: Promise<RoomRecord | undefined>;
  next: Promise<RoomRecord | undefined> | undefined;
}

/** Records are only guesses here: whoever writes says the version that he decided with. */
const mostKept = 20_000;
/** How old a record may be that nobody tells us the changes of. */
const freshMs = 900;
const mostAttempts = 20;

export class Rooms {
  readonly #log: ChatLog;
  readonly #mode: RoomsMode;
  readonly #kept = new Map<string, { record: RoomRecord; atMs: number }>();
  readonly #reading = new Map<string, Reading>();

  constructor(log: ChatLog, mode: RoomsMode) {
    this.#log = log;
    this.#mode = mode;
  }

  /** What is known of a room, right or not any more. For writers, whose step is refused when it is old. */
  known(roomId: string): RoomRecord | undefined {
    return this.#kept.get(roomId)?.record;
  }

  /** Takes in what somebody has just read. */
  learn(roomId: string, record: RoomRecord | undefined): void {
    const known = this.#kept.get(roomId);
    if (record === undefined) this.#kept.delete(roomId);
    else if (
      known === undefined ||
      known.record.version <= record.version ||
      known.record.createdAtMs !== record.createdAtMs
    ) {
      if (this.#kept.size >= mostKept) this.#kept.clear();
      this.#kept.set(roomId, { record, atMs: Date.now() });
    }
  }

  /** A record that is a second old at most; readers at the same time share the read. */
  async find(roomId: string): Promise<RoomRecord | undefined> {
    const known = this.#kept.get(roomId);
    if (known && Date.now() - known.atMs < freshMs) return known.record;
    return this.#reading.get(roomId)?.now ?? this.#read(roomId);
  }

  /**
   * The record as it is now. What is being read may have been written anew before this call: all who ask meanwhile share
   * the read that follows it.
   */
  read(roomId: string): Promise<RoomRecord | undefined> {
    const reading = this.#reading.get(roomId);
    if (reading === undefined) return this.#read(roomId);
    const again = () => this.#read(roomId);
    reading.next ??= reading.now.then(again, again);
    return reading.next;
  }

  #read(roomId: string): Promise<RoomRecord | undefined> {
    const reading: Reading = { now: this.#log.room(roomId), next: undefined };
    this.#reading.set(roomId, reading);
    reading.now = reading.now
      .then((record) => {
        this.learn(roomId, record);
        return record;
      })
      .finally(() => {
        if (this.#reading.get(roomId) === reading) this.#reading.delete(roomId);
      });
    return reading.now;
  }

  /** @throws AppError NOT_FOUND. */
  async get(roomId: string): Promise<RoomRecord> {
    const record = await this.find(roomId);
    if (record === undefined) throw absent(roomId);
    return record;
  }

  /** For who joins: makes an absent room where that is open. @throws AppError NOT_FOUND where rooms are declared. */
  async open(roomId: string): Promise<RoomRecord> {
    const record = await this.find(roomId);
    if (record !== undefined) return record;
    if (this.#mode === 'declared') throw absent(roomId);
    return this.#create(roomId, roomId === 'general' ? 'General' : `Room ${roomId}`);
  }

  /** `general` is there from the start where rooms are open. */
  async begin(): Promise<void> {
    if (this.#mode === 'open') await this.open('general');
  }

  /**
   * Changes a record by compare-and-swap until it is written.
   * @param change what it becomes; undefined leaves it as it is
   */
  async change(
    roomId: string,
    change: (record: RoomRecord | undefined) => RoomRecord | undefined,
  ): Promise<RoomRecord | undefined> {
    let now = await this.read(roomId);
    for (let attempt = 0; attempt < mostAttempts; attempt++) {
      const wanted = change(now);
      if (wanted === undefined) return now;
      const { written, record } = await this.#log.putRoom(wanted, now?.version ?? 0);
      this.learn(roomId, record);
      if (written) return record;
      now = record;
    }
    throw new Error(`room ${roomId} changed ${mostAttempts} times while it was to be changed`);
  }

  async #create(roomId: string, displayName: string): Promise<RoomRecord> {
    const made = await this.change(roomId, (record) => (record ? undefined : newRecord(roomId, { displayName })));
    return made as RoomRecord;
  }
}

export function newRecord(roomId: string, spec: Partial<RoomSpec>): RoomRecord {
  return {
    roomId,
    version: firstVersion(),
    createdAtMs: Date.now(),
    spec: { ...defaultSpec, ...spec },
    fence: 0,
    mutedUntilMs: {},
    removed: {},
  };
}

export const absent = (roomId: string) => notFound(`room ${roomId}`);
