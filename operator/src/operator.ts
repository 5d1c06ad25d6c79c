import { CHAT_ROOMS, type ChatRoom, roomIdOf, SERVICE_WEIGHTS, type ServiceWeight } from './api/index.ts';
import { BY_ROOM_ID, ChatRoomController, type RoomAdmin, type UserDirectory } from './chat-room/index.ts';
import type { ThrottleOptions } from './chat-room/numbers-throttle.ts';
import {
  type ApiClient,
  type ElectionOptions,
  EventRecorder,
  type Logger,
  type Metrics,
  Reflector,
  type ReflectorOptions,
  type RetryOptions,
  runController,
  runElected,
  type Term,
  WorkQueue,
  Written,
} from './runtime/index.ts';
import {
  BY_BACKEND,
  BY_SERVICE,
  ENDPOINT_SLICES,
  type EndpointSlice,
  type PrometheusOptions,
  SERVICE_LABEL,
  SERVICES,
  type Service,
  ServiceWeightController,
  serviceOf,
  servicesOf,
} from './service-weight/index.ts';
import { enqueueRooms, enqueueWeights } from './triggers.ts';

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
  /** Rooms worked on at once. */
  workers?: number;
  prometheus?: PrometheusOptions | undefined;
  /** The share of failed calls above which a rollout is taken back. */
  maxErrorRate?: number;
  log: Logger;
  metrics: Metrics;
  election?: Partial<Pick<ElectionOptions, 'leaseMs' | 'renewDeadlineMs' | 'retryMs'>>;
  retry?: RetryOptions;
  throttle?: ThrottleOptions;
  /** How long chat may be away before every room's Ready is Unknown. */
  awayAfterMs?: number;
}

export const LEASE_NAME = 'parley-operator';

/** The operator's parts, put together: what it watches, in every replica, and what works on it, in the one that leads. */
export class Operator {
  readonly rooms: Reflector<ChatRoom>;
  readonly weights: Reflector<ServiceWeight>;
  readonly services: Reflector<Service>;
  readonly slices: Reflector<EndpointSlice>;
  readonly #options: OperatorOptions;
  #term: Term | undefined;

  constructor(options: OperatorOptions) {
    const { client, log, metrics, watchNamespace: namespace } = options;
    const common: Pick<ReflectorOptions<never>, 'client' | 'log' | 'metrics' | 'namespace'> = { client, log, metrics };
    if (namespace !== undefined) common.namespace = namespace;
    this.#options = options;
    this.rooms = new Reflector({ ...common, resource: CHAT_ROOMS, indexes: { [BY_ROOM_ID]: (o) => [roomIdOf(o)] } });
    this.weights = new Reflector({ ...common, resource: SERVICE_WEIGHTS, indexes: { [BY_BACKEND]: servicesOf } });
    this.services = new Reflector({ ...common, resource: SERVICES });
    this.slices = new Reflector({
      ...common,
      resource: ENDPOINT_SLICES,
      indexes: { [BY_SERVICE]: (slice) => serviceOf(slice, SERVICE_LABEL) },
    });
  }

  /** Everything that is watched has been seen once. */
  get hasSynced(): boolean {
    return this.#reflectors().every(({ hasSynced }) => hasSynced);
  }

  /** The term in which this process leads, if it does. */
  get term(): Term | undefined {
    return this.#term;
  }

  /** Runs until the signal aborts, and gives the Lease back. Never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const { client, namespace, identity, election, log, metrics } = this.#options;
    const watching = Promise.all(this.#reflectors().map((reflector) => reflector.run(signal)));
    await Promise.race([Promise.all(this.#reflectors().map(({ synced }) => synced)), watching]);
    const lease = { client, namespace, name: LEASE_NAME, identity, log, metrics, ...election };
    await runElected(lease, signal, (term) => this.#lead(term));
    await watching;
  }

  /**
   * One term: queues of its own, which begin with everything there is, and controllers whose every write asks the term first.
   * A replica that stands by has nothing waiting.
   */
  async #lead(term: Term): Promise<void> {
    const { identity, workers = 16, log, metrics, watchNamespace, retry } = this.#options;
    const [writtenRooms, writtenWeights] = [new Written(this.rooms.store), new Written(this.weights.store)];
    using roomQueue = new WorkQueue('chatroom', { metrics, retry });
    using weightQueue = new WorkQueue('serviceweight', { metrics, retry });
    const client = this.#options.client.fenced(term.check);
    const events = new EventRecorder({ client, controller: 'parley.dev/operator', instance: identity, log });
    const rooms = new ChatRoomController({
      ...this.#options,
      client,
      term,
      events,
      rooms: this.rooms,
      written: writtenRooms,
      queue: roomQueue,
      watches: (namespace) => watchNamespace === undefined || watchNamespace === namespace,
    });
    const weights = new ServiceWeightController({
      client,
      events,
      weights: this.weights,
      services: this.services,
      slices: this.slices,
      written: writtenWeights,
      prometheus: this.#options.prometheus,
      maxErrorRate: this.#options.maxErrorRate ?? 0.05,
    });
    using stack = new DisposableStack();
    stack.defer(enqueueRooms(this.rooms, writtenRooms, roomQueue));
    stack.defer(enqueueWeights(this, writtenWeights, weightQueue));
    this.#term = term;
    await Promise.all([
      rooms.mirror.run(term.signal),
      runController(
        {
          name: 'chatroom',
          queue: roomQueue,
          reconcile: (key, signal) => rooms.reconcile(key, signal),
          concurrency: workers,
          log,
          metrics,
        },
        term.signal,
      ),
      runController(
        {
          name: 'serviceweight',
          queue: weightQueue,
          reconcile: (key, signal) => weights.reconcile(key, signal),
          concurrency: 4,
          log,
          metrics,
        },
        term.signal,
      ),
    ]);
    this.#term = undefined;
  }

  #reflectors() {
    return [this.rooms, this.weights, this.services, this.slices];
  }
}
