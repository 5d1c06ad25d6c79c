/** How the pods of one database hear of each other: notifications on PostgreSQL, calls within the process on PGlite. */
import type { Database } from '@parley/kit';
import { sql } from 'kysely';
import { complete, typeOf } from '../codec.ts';
import type { Announcement, Entry } from '../log.ts';
import { Listener } from './listener.ts';

export interface BusListener {
  /** `from`: entries were too long to be told; read `count` of them from there. */
  announced(roomId: string, announcement: Announcement | { kind: 'unread'; from: number; count: number }): void;
  roomsChanged(roomIds: string[] | undefined): void;
  uncertain(): void;
}

export interface Bus extends AsyncDisposable {
  /** Whether steps notify by themselves. */
  readonly notifies: boolean;
  ready(): Promise<void>;
  announce(roomId: string, announcement: Announcement): Promise<void>;
  changed(roomIds: string[]): Promise<void>;
}

export function openBus(database: Database, listener: BusListener): Bus {
  return database.embedded ? new ProcessBus(database, listener) : new NotificationBus(database, listener);
}

const listeners = new WeakMap<Database, Set<BusListener>>();

class ProcessBus implements Bus {
  readonly notifies = false;
  readonly #own: BusListener;
  readonly #all: Set<BusListener>;

  constructor(database: Database, listener: BusListener) {
    this.#own = listener;
    this.#all = listeners.get(database) ?? new Set();
    listeners.set(database, this.#all.add(listener));
  }
  async ready() {}
  async announce(roomId: string, announcement: Announcement) {
    for (const listener of this.#all) listener.announced(roomId, announcement);
  }
  async changed(roomIds: string[]) {
    for (const listener of this.#all) listener.roomsChanged(roomIds);
  }
  async [Symbol.asyncDispose]() {
    this.#all.delete(this.#own);
  }
}

/** A notification on parley_chat: entries (k: e), a record's version (r), or a signal as it is (s). */
interface Notification {
  r: string;
  k: 'e' | 'r' | 's';
  e: string;
  /** The first sequence, the entries' time, the entries or how many there are. */
  f: number;
  t: number;
  d?: [type: number, id: string, sender: string, body: string][];
  n?: number;
  v: number;
  s: Announcement;
}

class NotificationBus implements Bus {
  readonly notifies = true;
  readonly #database: Database;
  readonly #listener: Listener;

  constructor(database: Database, listener: BusListener) {
    this.#database = database;
    this.#listener = new Listener(database, ['parley_chat', 'parley_chat_rooms'], {
      notification(channel, payload) {
        const told = JSON.parse(payload);
        if (channel === 'parley_chat_rooms') listener.roomsChanged(told);
        else deliver(told, listener);
      },
      reconnected() {
        listener.uncertain();
        listener.roomsChanged(undefined);
      },
    });
  }
  ready() {
    return this.#listener.ready();
  }
  async announce(roomId: string, announcement: Announcement) {
    await this.#notify('parley_chat', JSON.stringify({ r: roomId, k: 's', s: announcement }));
  }
  async changed(roomIds: string[]) {
    // A notification has at most 8,000 bytes, a room id 128.
    for (let at = 0; at < roomIds.length; at += 50)
      await this.#notify('parley_chat_rooms', JSON.stringify(roomIds.slice(at, at + 50)));
  }
  async #notify(channel: string, payload: string) {
    await sql`select pg_notify(${channel}, ${payload})`.execute(this.#database.as());
  }
  async [Symbol.asyncDispose]() {
    await this.#listener[Symbol.asyncDispose]();
  }
}

function deliver(told: Notification, listener: BusListener): void {
  if (told.k === 'r') listener.announced(told.r, { kind: 'record', version: told.v });
  else if (told.k === 's') listener.announced(told.r, told.s);
  else if (told.d === undefined) listener.announced(told.r, { kind: 'unread', from: told.f, count: told.n as number });
  else
    listener.announced(told.r, { kind: 'entries', epoch: told.e, entries: told.d.map((_, at) => toEntry(told, at)) });
}

function toEntry({ e: epoch, f, t: timestampMs, d = [] }: Notification, at: number): Entry {
  const [type, id, senderId, body] = d[at] as [number, string, string, string];
  const sequence = f + at;
  const bytes = complete(Buffer.from(body, 'base64'), { epoch, sequence }, timestampMs);
  return { sequence, type: typeOf(type), id, senderId, timestampMs, bytes };
}
