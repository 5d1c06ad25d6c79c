/** The one connection of a process on which PostgreSQL's notifications come in. It connects again by itself. */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Database, unavailable } from '@parley/kit';

const heartbeatMs = 5_000;
const heartbeatTimeoutMs = 2_000;
const patienceMs = 1_000;

type Client = NonNullable<ReturnType<Database['listener']>>;

export interface ListenerEvents {
  notification(channel: string, payload: string): void;
  /** Connected again: what was told in between is missed. */
  reconnected(): void;
}

export class Listener implements AsyncDisposable {
  readonly #database: Database;
  readonly #channels: string[];
  readonly #events: ListenerEvents;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #connected = Promise.withResolvers<void>();
  #isConnected = false;

  constructor(database: Database, channels: string[], events: ListenerEvents) {
    this.#database = database;
    this.#channels = channels;
    this.#events = events;
    this.#running = this.#run();
  }

  /** Resolves when notifications come in. @throws AppError UNAVAILABLE while they do not. */
  async ready(): Promise<void> {
    const timer = new AbortController();
    await Promise.race([
      this.#connected.promise,
      sleep(patienceMs, undefined, { signal: timer.signal }).then(() => {
        throw unavailable('the database cannot be reached: try again', 1000);
      }),
    ]).finally(() => timer.abort());
  }

  async #run(): Promise<void> {
    let pauseMs = 100;
    for (let round = 0; !this.#stop.signal.aborted; round++) {
      const client = this.#database.listener();
      if (client === undefined) return;
      const broken = Promise.withResolvers<void>();
      client.on('error', () => broken.resolve());
      client.on('end', () => broken.resolve());
      client.on('notification', ({ channel, payload = '' }) => this.#events.notification(channel, payload));
      try {
        await client.connect();
        for (const channel of this.#channels) await client.query(`listen ${channel}`);
        pauseMs = 100;
        this.#isConnected = true;
        this.#connected.resolve();
        if (round > 0) this.#events.reconnected();
        await Promise.race([broken.promise, this.#beat(client), aborted(this.#stop.signal)]);
      } catch {
        // The database is away; statements tell their callers so.
      }
      if (this.#isConnected) this.#connected = Promise.withResolvers<void>();
      this.#isConnected = false;
      void client.end().catch(() => {});
      await sleep(pauseMs, undefined, { signal: this.#stop.signal }).catch(() => {});
      pauseMs = Math.min(pauseMs * 2, 1_000);
    }
  }

  /** A connection that was cut without a word: ends when a question is not answered. */
  async #beat(client: Client): Promise<void> {
    const { signal } = this.#stop;
    for (;;) {
      await sleep(heartbeatMs, undefined, { signal });
      const late = new AbortController();
      const answered = await Promise.race([
        client.query('select 1').then(
          () => true,
          () => false,
        ),
        sleep(heartbeatTimeoutMs, false, { signal: late.signal }).catch(() => false),
      ]);
      late.abort();
      if (!answered) return;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
