import { CHAT_ROOMS, type ChatRoom, roomIdOf } from './api/index.ts';
import { BY_ROOM_ID, ChatRoomController, type RoomAdmin, type UserDirectory } from './chat-room/index.ts';
import type { ThrottleOptions } from './chat-room/numbers-throttle.ts';
import {
  type ApiClient,
  type ElectionOptions,
  EventRecorder,
  type Logger,
  type Metrics,
  Reflector,
  type RetryOptions,
  runController,
  runElected,
  type Term,
  WorkQueue,
} from './runtime/index.ts';
import { Written } from './runtime/written.ts';

export interface OperatorOptions {
  client: ApiClient;
  admin: RoomAdmin;
  users: UserDirectory;
  /** Where the Lease is. */
  namespace: string;
  /** Absent: all namespaces. */
  watchNamespace?: string;
  /** Who this process is; no two may have the same. */
  identity: string;
  workers?: number;
  log: Logger;
  metrics: Metrics;
  election?: Partial<Pick<ElectionOptions, 'leaseMs' | 'renewDeadlineMs' | 'retryMs'>>;
  retry?: RetryOptions;
  throttle?: ThrottleOptions;
  awayAfterMs?: number;
}

export const LEASE_NAME = 'parley-operator';

/**
 * The operator's parts, put together: what it watches, in every replica, and what works on it, in the one that leads.
 */
export class Operator {
  readonly rooms: Reflector<ChatRoom>;
  readonly #options: OperatorOptions;
  readonly #roomQueue: WorkQueue;
  readonly #writtenRooms: Written<ChatRoom>;
  #term: Term | undefined;

  constructor(options: OperatorOptions) {
    const { client, log, metrics, watchNamespace, retry } = options;
    this.#options = options;
    const watched = { client, log, metrics, ...(watchNamespace === undefined ? {} : { namespace: watchNamespace }) };
    this.rooms = new Reflector<ChatRoom>({
      ...watched,
      resource: CHAT_ROOMS,
      indexes: { [BY_ROOM_ID]: (room) => [roomIdOf(room)] },
    });
    this.#writtenRooms = new Written(this.rooms.store);
    this.#roomQueue = new WorkQueue('chatroom', { metrics, ...(retry === undefined ? {} : { retry }) });
    enqueueRooms(this.rooms, this.#writtenRooms, this.#roomQueue);
  }

  /** Everything that is watched has been seen once. */
  get hasSynced(): boolean {
    return this.rooms.hasSynced;
  }

  /** The term in which this process leads, if it does. */
  get term(): Term | undefined {
    return this.#term;
  }

  /** Runs until the signal aborts, and gives the Lease back. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, namespace, identity, election, log, metrics } = this.#options;
    const watching = [this.rooms.run(signal)];
    await Promise.race([Promise.all([this.rooms.synced]), Promise.all(watching)]);
    const lease = { client, namespace, name: LEASE_NAME, identity, log, metrics, ...election };
    await runElected(lease, signal, (term) => this.#lead(term));
    await Promise.all(watching);
    this.#roomQueue.close();
  }

  async #lead(term: Term): Promise<void> {
    const { admin, users, identity, workers = 16, log, metrics, throttle, awayAfterMs } = this.#options;
    const client = this.#options.client.fenced(term.check);
    const events = new EventRecorder({ client, controller: 'parley.dev/operator', instance: identity, log });
    const chatRooms = new ChatRoomController({
      client,
      term,
      rooms: this.rooms,
      written: this.#writtenRooms,
      queue: this.#roomQueue,
      admin,
      users,
      events,
      watches: (namespace) => [undefined, namespace].includes(this.#options.watchNamespace),
      log,
      ...(throttle === undefined ? {} : { throttle }),
      ...(awayAfterMs === undefined ? {} : { awayAfterMs }),
    });
    this.#term = term;
    for (const key of this.rooms.store.keys()) this.#roomQueue.add(key);
    await Promise.all([
      chatRooms.mirror.run(term.signal),
      runController(
        {
          name: 'chatroom',
          queue: this.#roomQueue,
          reconcile: (key, signal) => chatRooms.reconcile(key, signal),
          concurrency: workers,
          log,
          metrics,
        },
        term.signal,
      ),
    ]);
    this.#term = undefined;
  }
}

/** A resource is worked on when it changes, and, when one comes or goes, so are the others that claim its room id. */
function enqueueRooms(rooms: Reflector<ChatRoom>, written: Written<ChatRoom>, queue: WorkQueue): void {
  rooms.onChange(({ type, object }) => {
    const key = `${object.metadata.namespace}/${object.metadata.name}`;
    if (type === 'modified' && written.isEcho(object)) return;
    queue.add(key);
    if (type !== 'added' && type !== 'deleted') return;
    for (const { metadata } of rooms.store.byIndex(BY_ROOM_ID, roomIdOf(object))) {
      queue.add(`${metadata.namespace}/${metadata.name}`);
    }
  });
}
