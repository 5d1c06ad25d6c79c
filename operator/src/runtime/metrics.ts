import { Counter, Gauge, Histogram, Registry } from 'prom-client';

const WORK_BUCKETS = [0.001, 0.01, 0.1, 0.5, 1, 2.5, 5, 10, 30, 60, 300];
const RECONCILE_BUCKETS = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** What a work queue tells about itself before each scrape. */
export interface QueueGauges {
  depth: number;
  unfinishedSeconds: number;
  longestRunningSeconds: number;
}

/** The metrics of a controller-runtime operator under the same names, so that dashboards people already have work. */
export type Metrics = ReturnType<typeof createMetrics>;

/**
 * Makes the runtime's metrics in a registry.
 * @param registry where they are registered; a registry of their own by default
 */
export function createMetrics(registry: Registry = new Registry()) {
  const registers = [registry];
  const queues = new Map<string, () => QueueGauges>();
  const gauge = (name: string, help: string, read: (queue: QueueGauges) => number) =>
    new Gauge({
      name,
      help,
      labelNames: ['name'],
      registers,
      collect() {
        // A queue that was closed leaves nothing behind.
        this.reset();
        for (const [queue, gauges] of queues) this.set({ name: queue }, read(gauges()));
      },
    });
  gauge('workqueue_depth', 'Current depth of workqueue', (queue) => queue.depth);
  gauge('workqueue_unfinished_work_seconds', 'Seconds of work in progress', (queue) => queue.unfinishedSeconds);
  gauge(
    'workqueue_longest_running_processor_seconds',
    'Seconds the longest running worker has been at it',
    (queue) => queue.longestRunningSeconds,
  );
  return {
    registry,
    /** Shows a queue's gauges under `name` until the returned function is called. */
    watchQueue(name: string, gauges: () => QueueGauges): () => void {
      queues.set(name, gauges);
      return () => queues.delete(name);
    },
    queueAdds: new Counter({
      name: 'workqueue_adds_total',
      help: 'Adds handled by workqueue',
      labelNames: ['name'],
      registers,
    }),
    queueRetries: new Counter({
      name: 'workqueue_retries_total',
      help: 'Retries handled by workqueue',
      labelNames: ['name'],
      registers,
    }),
    queueSeconds: new Histogram({
      name: 'workqueue_queue_duration_seconds',
      help: 'How long an item stays in workqueue before it is taken',
      labelNames: ['name'],
      buckets: WORK_BUCKETS,
      registers,
    }),
    workSeconds: new Histogram({
      name: 'workqueue_work_duration_seconds',
      help: 'How long processing an item from workqueue takes',
      labelNames: ['name'],
      buckets: WORK_BUCKETS,
      registers,
    }),
    reconciles: new Counter({
      name: 'controller_runtime_reconcile_total',
      help: 'Reconciliations per controller and result: success, error, requeue, requeue_after',
      labelNames: ['controller', 'result'],
      registers,
    }),
    reconcileErrors: new Counter({
      name: 'controller_runtime_reconcile_errors_total',
      help: 'Reconciliations that failed',
      labelNames: ['controller'],
      registers,
    }),
    terminalErrors: new Counter({
      name: 'controller_runtime_terminal_reconcile_errors_total',
      help: 'Reconciliations that failed for good, until the object changes',
      labelNames: ['controller'],
      registers,
    }),
    reconcileSeconds: new Histogram({
      name: 'controller_runtime_reconcile_time_seconds',
      help: 'Length of time per reconciliation',
      labelNames: ['controller'],
      buckets: RECONCILE_BUCKETS,
      registers,
    }),
    activeWorkers: new Gauge({
      name: 'controller_runtime_active_workers',
      help: 'Workers at work per controller',
      labelNames: ['controller'],
      registers,
    }),
    maxWorkers: new Gauge({
      name: 'controller_runtime_max_concurrent_reconciles',
      help: 'Workers per controller',
      labelNames: ['controller'],
      registers,
    }),
    leader: new Gauge({
      name: 'leader_election_master_status',
      help: '1 while this process leads, by name of the Lease',
      labelNames: ['name'],
      registers,
    }),
    restRequests: new Counter({
      name: 'rest_client_requests_total',
      help: 'HTTP requests to the API server by status code, method and host',
      labelNames: ['code', 'method', 'host'],
      registers,
    }),
    restDuration: new Histogram({
      name: 'rest_client_request_duration_seconds',
      help: 'Seconds until the API server answers, by verb and host',
      labelNames: ['verb', 'host'],
      buckets: RECONCILE_BUCKETS,
      registers,
    }),
    lists: new Counter({
      name: 'reflector_lists_total',
      help: 'Lists of a resource, by why: start, gone (410), error',
      labelNames: ['resource', 'cause'],
      registers,
    }),
    silentWatches: new Counter({
      name: 'reflector_silent_watches_total',
      help: 'Watches cut because the server said nothing, not even that the watch was over',
      labelNames: ['resource'],
      registers,
    }),
    lastContact: new Gauge({
      name: 'reflector_last_contact_timestamp_seconds',
      help: 'When the API server last said something about a resource, Unix time',
      labelNames: ['resource'],
      registers,
    }),
    storeItems: new Gauge({
      name: 'reflector_items',
      help: 'Objects of a resource in memory',
      labelNames: ['resource'],
      registers,
    }),
  };
}
