import { type Api, ApiError } from './api.ts';
import type { Metadata } from './kubernetes.ts';
import type { Log } from './observe.ts';

/** What is listed and watched. */
export interface Query {
  /** The API group, e.g. discovery.k8s.io; for messages. */
  group: string;
  version: string;
  /** The plural, e.g. endpointslices. */
  resource: string;
  namespace: string;
  labelSelector?: string;
  fieldSelector?: string;
  /** The resource's definition may be missing from the cluster; then there simply are none, for now. */
  optional?: boolean;
}

/** Times in milliseconds; tests shorten them. */
export interface Timing {
  /** A connection that is not there after this is tried again: a lost SYN is repeated by TCP too seldom. */
  connectMs: number;
  /** The server is asked to end a watch after this, up to a quarter more. */
  watchMs: number;
  /** A watch that has not ended so long after that is dead, whatever TCP says. Together less than 60 s. */
  graceMs: number;
  listMs: number;
  retryMinMs: number;
  retryMaxMs: number;
  /** How often to look whether a missing definition has come. */
  absentMs: number;
}

export const defaultTiming: Timing = {
  connectMs: 3_000,
  watchMs: 30_000,
  graceMs: 10_000,
  listMs: 15_000,
  retryMinMs: 250,
  retryMaxMs: 4_000,
  absentMs: 30_000,
};

/** What happens, told to whoever counts it. */
export interface ReflectorEvents {
  /** Items, freshness or error changed. */
  changed(): void;
  listed(): void;
  failed(reason: string): void;
}

interface WatchEvent<T> {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK' | 'ERROR';
  object: T & { code?: number; message?: string };
}

/** Answers that say nothing about the version asked for. */
const passing = new Set([401, 403, 429, 500, 502, 503]);

/**
 * A local copy of the objects that a query finds: one list, then a watch from there on. The copy is kept, whatever
 * happens to the API server.
 *
 * Watches are short and asked to end by the server itself, with a bookmark just before. That makes silence meaningful:
 * bookmarks alone come about once a minute, too seldom to notice a half-open connection within one. Going on after the
 * end costs no list, only a request. Only 410 Gone makes it list again, once.
 */
export class Reflector<T extends { metadata: Metadata }> {
  readonly items = new Map<string, T>();
  /** `starting`: no answer since the start. `current`: listed. `failed`: no list since the start, for `error`. */
  state: 'starting' | 'current' | 'failed' = 'starting';
  error: Error | undefined;
  /** When the API server last confirmed this copy; undefined when never. */
  confirmedAt: number | undefined;
  readonly query: Query;
  readonly #api: Api;
  readonly #events: ReflectorEvents;
  readonly #log: Log;
  readonly #timing: Timing;
  #running: AbortController | undefined;
  #resourceVersion: string | undefined;
  #failures = 0;
  /** Ends the request under way when the server says nothing. */
  #patience: AbortSignal | undefined;

  constructor(api: Api, query: Query, events: ReflectorEvents, log: Log, timing: Timing = defaultTiming) {
    this.#api = api;
    this.query = query;
    this.#events = events;
    this.#log = log;
    this.#timing = timing;
  }

  /** Begins, or begins again after a stop; what was known stays known until the list says otherwise. */
  start(): void {
    if (this.#running) return;
    this.#running = new AbortController();
    this.#resourceVersion = undefined;
    this.#failures = 0;
    this.state = 'starting';
    this.#run(this.#running.signal).catch((error) =>
      this.#log.error({ err: error, ...this.query }, 'discovery.crashed'),
    );
  }

  stop(): void {
    this.#running?.abort();
    this.#running = undefined;
  }

  async #run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        if (this.#resourceVersion === undefined) await this.#list(signal);
        else await this.#watch(this.#resourceVersion, signal);
      } catch (error) {
        if (signal.aborted) return;
        await this.#recover(error as Error, signal);
      }
    }
  }

  async #list(signal: AbortSignal): Promise<void> {
    this.#patience = AbortSignal.timeout(this.#timing.listMs);
    const ends = AbortSignal.any([signal, this.#patience]);
    const list = await this.#api.get<{ items: T[]; metadata: Metadata }>(this.#path(), this.#selectors(), ends);
    this.items.clear();
    for (const item of list.items) this.items.set(item.metadata.name!, item);
    this.#resourceVersion = list.metadata.resourceVersion ?? '';
    this.#events.listed();
    this.#confirmed();
    this.#log.info({ ...this.query, items: this.items.size }, 'discovery.listed');
    this.#events.changed();
  }

  async #watch(from: string, signal: AbortSignal): Promise<void> {
    const seconds = Math.max(1, Math.round((this.#timing.watchMs * (1 + Math.random() / 4)) / 1000));
    this.#patience = AbortSignal.timeout(seconds * 1000 + this.#timing.graceMs);
    const ends = AbortSignal.any([signal, this.#patience]);
    const began = performance.now();
    const query = {
      ...this.#selectors(),
      watch: 'true',
      resourceVersion: from,
      allowWatchBookmarks: 'true',
      timeoutSeconds: String(seconds),
    };
    for await (const { type, object } of this.#api.lines<WatchEvent<T>>(this.#path(), query, ends)) {
      if (type === 'ERROR') throw new ApiError(object.code ?? 0, object.message ?? 'the watch ended with an error');
      this.#resourceVersion = object.metadata.resourceVersion ?? from;
      if (type === 'DELETED') this.items.delete(object.metadata.name!);
      else if (type !== 'BOOKMARK') this.items.set(object.metadata.name!, object);
      this.#confirmed();
      if (type !== 'BOOKMARK') this.#events.changed();
    }
    this.#confirmed();
    // A server or proxy that ends every watch at once is not to be asked without a breath in between.
    const lasted = performance.now() - began;
    if (lasted < this.#timing.retryMaxMs) await pause(this.#timing.retryMinMs * (0.5 + Math.random()), signal);
  }

  #confirmed(): void {
    this.confirmedAt = Date.now();
    this.#failures = 0;
    this.state = 'current';
    this.error = undefined;
  }

  async #recover(error: Error, signal: AbortSignal): Promise<void> {
    const code = error instanceof ApiError ? error.code : undefined;
    const silent = this.#patience?.aborted ?? false;
    const listing = this.#resourceVersion === undefined;
    this.#events.failed(code === undefined ? (silent ? 'silent' : 'network') : String(code));
    if (code === 404 && this.query.optional) return this.#absent(signal);
    if (code === 410) {
      this.#resourceVersion = undefined;
      // Everybody's history ends at the same moment: not all at once.
      return pause(this.#timing.retryMinMs * Math.random(), signal);
    }
    this.#failures += 1;
    // A server that keeps refusing this version (restored from a backup, say) is asked for the whole again.
    if (code !== undefined && !passing.has(code) && this.#failures >= 5) this.#resourceVersion = undefined;
    this.error = this.#explain(error, code, listing ? 'list' : 'watch');
    if (this.state === 'starting') this.state = 'failed';
    if (this.#failures <= 1) this.#log.warn({ ...this.query, err: this.error }, 'discovery.watch_failed');
    this.#events.changed();
    // A silent watch has already waited long enough.
    const most = silent ? this.#timing.retryMinMs : this.#timing.retryMinMs * 2 ** this.#failures;
    await pause(Math.min(most, this.#timing.retryMaxMs) * (0.5 + Math.random() / 2), signal);
  }

  async #absent(signal: AbortSignal): Promise<void> {
    const news = this.state !== 'current' || this.items.size > 0;
    this.items.clear();
    this.#resourceVersion = undefined;
    this.#confirmed();
    if (news) this.#events.changed();
    await pause(this.#timing.absentMs * (0.5 + Math.random() / 2), signal);
  }

  #explain(cause: Error, code: number | undefined, verb: string): Error {
    const { group, resource, namespace } = this.query;
    const what = `cannot ${verb} ${resource} in namespace ${namespace}`;
    const why =
      code === 403
        ? `the Role needs list, watch on ${group}/${resource}`
        : code === 401
          ? 'the API server does not accept the credentials'
          : this.#patience?.aborted
            ? 'the API server has stopped answering'
            : cause.message || (cause as { code?: string }).code || cause.name;
    return new Error(`${what}: ${why}`, { cause });
  }

  #path(): string {
    const { group, version, resource, namespace } = this.query;
    return `/apis/${group}/${version}/namespaces/${namespace}/${resource}`;
  }

  #selectors(): Record<string, string> {
    const { labelSelector, fieldSelector } = this.query;
    return { ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) };
  }
}

/** Waits without keeping the process alive; ends early, without an error, when the signal does. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(done, ms).unref();
    signal.addEventListener('abort', done, { once: true });
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
  });
}
