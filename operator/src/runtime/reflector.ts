import { ApiError, isApiError } from './api-error.ts';
import type { ApiClient } from './client.ts';
import { failureLevel, type Logger, silent } from './log.ts';
import type { Metrics } from './metrics.ts';
import { collectionPath, type KubeObject, keyOf, type ResourceType } from './resource.ts';
import { type Change, type IndexFunction, Store } from './store.ts';
import { Backoff, monotonicMs, pause } from './timing.ts';

export interface ReflectorOptions<T extends KubeObject> {
  client: ApiClient;
  resource: ResourceType;
  /** Absent: all namespaces. */
  namespace?: string;
  labelSelector?: string;
  fieldSelector?: string;
  indexes?: Record<string, IndexFunction<T>>;
  pageSize?: number;
  /** How often every object is told again, so that whatever was missed elsewhere is found; 0: never. */
  resyncMs?: number;
  /**
   * The longest a watch is left open. The server ends it then, and it goes on from where it was; a server that does not
   * end it within `graceMs` more is taken for dead. Together they bound how long a silent watch goes unnoticed.
   */
  watchMs?: number;
  graceMs?: number;
  log?: Logger;
  metrics?: Metrics;
}

export type ChangeHandler<T> = (change: Change<T> | { type: 'resync'; object: T }) => void;

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T & { code?: number; message?: string; reason?: string };
}

type ListPage<T> = { metadata: { resourceVersion: string; continue?: string }; items: T[] };

/** A watch that ends sooner than this, with nothing said, was not ended as it was asked to be. */
const SHORTEST_WATCH_MS = 500;
/** So often in a row a watch is refused before everything is listed anew. */
const REFUSALS = 5;
/** Answers that say nothing about the version that was asked for. */
const PASSING = new Set([401, 403, 404, 429, 500, 502, 503]);

/** Is it the API server itself that refuses, and not a proxy that finds it away? Only the server gives a reason. */
function isRefusal(error: unknown): boolean {
  return error instanceof ApiError && error.reason !== '' && !PASSING.has(error.code);
}

/**
 * Keeps a {@link Store} equal to what the API server has: a list by pages, then watches, each from where the last ended.
 * Lists again only when the server no longer has what came since (410 Gone), or keeps refusing to watch from there. While
 * the server is away it keeps what it has and tries again, at least every 3 s: a change is seen within 5 s of its return.
 */
export class Reflector<T extends KubeObject> {
  readonly store: Store<T>;
  /** Resolves after the first list. */
  readonly synced: Promise<void>;
  readonly #options: Required<Pick<ReflectorOptions<T>, 'pageSize' | 'resyncMs' | 'watchMs' | 'graceMs'>> &
    ReflectorOptions<T>;
  readonly #log: Logger;
  readonly #handlers = new Set<ChangeHandler<T>>();
  #markSynced: () => void = () => {};
  #hasSynced = false;
  #listCause: 'start' | 'gone' | 'error' = 'start';
  #resourceVersion: string | undefined;
  #listedMs = 0;
  readonly #backoff = new Backoff(200, 3_000);

  constructor(options: ReflectorOptions<T>) {
    this.#options = { pageSize: 500, resyncMs: 600_000, watchMs: 45_000, graceMs: 10_000, ...options };
    this.#log = options.log ?? silent;
    this.store = new Store(options.indexes);
    this.synced = new Promise((resolve) => {
      this.#markSynced = resolve;
    });
  }

  get hasSynced(): boolean {
    return this.#hasSynced;
  }

  /**
   * Calls the handler for what is there and for every change, until the returned function is called. What a handler throws
   * is logged and changes nothing.
   */
  onChange(handler: ChangeHandler<T>): () => void {
    this.#handlers.add(handler);
    for (const object of this.store.values()) this.#tell(handler, { type: 'added', object });
    return () => this.#handlers.delete(handler);
  }

  /** Runs until the signal aborts; never rejects. */
  async run(signal: AbortSignal): Promise<void> {
    const resync = this.#startResync();
    const { resource } = this.#options;
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        await this.#watch(signal);
      } catch (error) {
        if (signal.aborted) break;
        const gone = isApiError(error, 410);
        if (gone) this.#listAgain('gone');
        else if (isRefusal(error) && this.#backoff.failures >= REFUSALS - 1) this.#listAgain('error');
        // At once, unless the last list is this fresh: a server that answers everything with 410 is not hammered.
        const waitMs = gone && monotonicMs() - this.#listedMs > 3_000 ? 0 : this.#backoff.next();
        const { failures } = this.#backoff;
        this.#log[failureLevel(failures)](
          { resource: resource.plural, gone, failures, error: String(error) },
          'watch.failed',
        );
        await pause(waitMs, signal);
      }
    }
    clearInterval(resync);
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, pageSize, metrics } = this.#options;
    const cause = this.#listCause;
    metrics?.lists.inc({ resource: resource.plural, cause });
    const items: T[] = [];
    let next: string | undefined;
    let resourceVersion = '';
    do {
      const page: ListPage<T> = await client.request({
        method: 'GET',
        path: collectionPath(resource, namespace),
        query: { limit: pageSize, continue: next, labelSelector, fieldSelector },
        timeoutMs: 60_000,
        signal,
      });
      for (const item of page.items) items.push(slim(item));
      resourceVersion = page.metadata.resourceVersion;
      next = page.metadata.continue;
    } while (next);
    const changes = this.store.replace(items);
    this.#resourceVersion = resourceVersion;
    this.#listedMs = monotonicMs();
    this.#contact();
    for (const change of changes) this.#announce(change);
    if (!this.#hasSynced) {
      this.#hasSynced = true;
      this.#markSynced();
    }
    this.#log.info(
      { resource: resource.plural, cause, items: items.length, changes: changes.length },
      'resource.listed',
    );
  }

  #listAgain(cause: 'gone' | 'error'): void {
    if (this.#hasSynced) this.#listCause = cause;
    this.#resourceVersion = undefined;
  }

  /** One watch, from the last version seen. Returns when the server ends it, throws when it fails or falls silent. */
  async #watch(signal: AbortSignal): Promise<void> {
    const { client, resource, namespace, labelSelector, fieldSelector, watchMs, graceMs, metrics } = this.#options;
    // Not all at once: replicas that started together do not stay in step.
    const timeoutSeconds = Math.max(1, Math.floor((watchMs / 1000) * (0.75 + Math.random() / 4)));
    const cut = new AbortController();
    const stop = () => cut.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    const silence = setTimeout(
      () => {
        metrics?.silentWatches.inc({ resource: resource.plural });
        cut.abort(new Error(`the watch said nothing for ${timeoutSeconds} s, not even its end`));
      },
      timeoutSeconds * 1000 + graceMs,
    );
    const begun = monotonicMs();
    let said = false;
    try {
      const query = {
        watch: true,
        allowWatchBookmarks: true,
        resourceVersion: this.#resourceVersion,
        timeoutSeconds,
        labelSelector,
        fieldSelector,
      };
      for await (const event of client.watch<WatchEvent<T>>(collectionPath(resource, namespace), query, cut.signal)) {
        said = true;
        this.#take(event);
      }
      // A proxy that ends every watch at once is not to be asked without a breath in between.
      if (!said && monotonicMs() - begun < SHORTEST_WATCH_MS) throw new Error('the watch ended at once');
    } catch (error) {
      throw cut.signal.aborted ? cut.signal.reason : error;
    } finally {
      clearTimeout(silence);
      signal.removeEventListener('abort', stop);
    }
  }

  #take({ type, object }: WatchEvent<T>): void {
    if (type === 'ERROR') {
      throw new ApiError(object.code ?? 500, object.reason ?? '', object.message ?? 'the watch ended with an error');
    }
    this.#contact();
    this.#resourceVersion = object.metadata.resourceVersion;
    if (type === 'BOOKMARK') return;
    const slimmed = slim(object);
    const change = type === 'DELETED' ? this.store.delete(keyOf(slimmed), slimmed) : this.store.set(slimmed);
    if (change) this.#announce(change);
  }

  #announce(change: Parameters<ChangeHandler<T>>[0]): void {
    for (const handler of this.#handlers) this.#tell(handler, change);
  }

  #tell(handler: ChangeHandler<T>, change: Parameters<ChangeHandler<T>>[0]): void {
    try {
      handler(change);
    } catch (error) {
      this.#log.error({ resource: this.#options.resource.plural, error }, 'handler.failed');
    }
  }

  #contact(): void {
    this.#backoff.reset();
    const resource = this.#options.resource.plural;
    this.#options.metrics?.lastContact.set({ resource }, Date.now() / 1000);
    this.#options.metrics?.storeItems.set({ resource }, this.store.size);
  }

  #startResync(): NodeJS.Timeout | undefined {
    if (this.#options.resyncMs <= 0) return;
    return setInterval(() => {
      for (const object of this.store.values()) this.#announce({ type: 'resync', object });
    }, this.#options.resyncMs);
  }
}

/** Without what no controller reads and what is often half of an object. */
function slim<T extends KubeObject>(object: T): T {
  delete (object.metadata as { managedFields?: unknown }).managedFields;
  delete object.metadata.annotations?.['kubectl.kubernetes.io/last-applied-configuration'];
  return object;
}
