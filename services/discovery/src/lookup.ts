import { endpoints, type Resolution } from './endpoints.ts';
import type { EndpointSlice, ServiceWeight } from './kubernetes.ts';
import type { Log } from './observe.ts';
import { keepSince } from './ramp.ts';
import type { Reflector } from './reflector.ts';
import type { KubernetesTarget } from './target.ts';
import { split } from './weights.ts';

/** Gets the latest list, or why there is none. */
export type Listener = (result: { resolution: Resolution } | { error: string }) => void;

/** Where a lookup gets its copies of the cluster's objects from; each is to be released. */
export interface Copies {
  slices(service: string): Shared<EndpointSlice>;
  weight(): Shared<ServiceWeight>;
}

/** One of several holders' view of a reflector: running while anybody holds it. */
export interface Shared<T extends { metadata: object }> {
  reflector: Reflector<T & { metadata: { name?: string; resourceVersion?: string } }>;
  release(): void;
}

/**
 * Follows one target: the ServiceWeight, the slices of the backends that it names (and of the Service itself), and the
 * clock while endpoints are starting slowly. Shared by all channels to the target; does nothing while there are none.
 */
export class Lookup {
  readonly #target: KubernetesTarget;
  readonly #zone: string | undefined;
  readonly #copies: Copies;
  readonly #log: Log;
  readonly #listeners = new Set<Listener>();
  #weight: Shared<ServiceWeight> | undefined;
  readonly #slices = new Map<string, Shared<EndpointSlice>>();
  #since: Map<string, number> | undefined;
  #latest: Parameters<Listener>[0] | undefined;
  #told = '';
  #reported = '';
  #due: NodeJS.Immediate | undefined;
  #rampTimer: NodeJS.Timeout | undefined;

  constructor(target: KubernetesTarget, zone: string | undefined, copies: Copies, log: Log) {
    this.#target = target;
    this.#zone = zone;
    this.#copies = copies;
    this.#log = log;
  }

  /** The endpoints found last, for metrics. */
  get latest(): Resolution | undefined {
    return this.#latest && 'resolution' in this.#latest ? this.#latest.resolution : undefined;
  }

  /** Begins to follow; the listener is never called from within. Returns how to end it. */
  subscribe(listener: Listener): () => void {
    this.#listeners.add(listener);
    if (this.#listeners.size === 1) this.#begin();
    else if (this.#latest) setImmediate(() => this.#listeners.has(listener) && this.#latest && listener(this.#latest));
    return () => {
      if (this.#listeners.delete(listener) && this.#listeners.size === 0) this.#end();
    };
  }

  /** Something that this may depend on changed; many such calls make one look. */
  changed(): void {
    if (this.#weight) this.#due ??= setImmediate(() => this.#look());
  }

  #begin(): void {
    this.#weight = this.#copies.weight();
    this.changed();
  }

  #end(): void {
    if (this.#due) clearImmediate(this.#due);
    this.#due = undefined;
    clearTimeout(this.#rampTimer);
    this.#weight?.release();
    this.#weight = undefined;
    for (const shared of this.#slices.values()) shared.release();
    this.#slices.clear();
    this.#since = undefined;
    this.#latest = undefined;
    this.#told = '';
  }

  #look(): void {
    this.#due = undefined;
    if (this.#weight?.reflector.state === 'starting') return;
    const resource = this.#weight?.reflector.items.get(this.#target.service);
    this.#follow(resource);
    const reflectors = [...this.#slices].map(([service, { reflector }]) => ({ service, reflector }));
    // Weights that name a new Service wait for its slices; until then the old list stays.
    if (reflectors.some(({ reflector }) => reflector.state === 'starting')) return;
    const slices = new Map(reflectors.map(({ service, reflector }) => [service, [...reflector.items.values()]]));
    const { service, port } = this.#target;
    const now = Date.now();
    const observe = () => endpoints({ service, port, zone: this.#zone, slices, since: this.#since }, resource, now);
    const first = observe();
    this.#since = keepSince(
      this.#since,
      first.backends.flatMap((backend) => backend.endpoints.map(({ id }) => id)),
      now,
    );
    const resolution = observe();
    this.#report(resolution.problems);
    if (resolution.backends.length > 0) {
      this.#tell({ resolution });
    } else {
      const unread = reflectors.find(({ reflector }) => reflector.state === 'failed')?.reflector.error;
      this.#tell({ error: unread?.message ?? resolution.problems.join('; ') });
    }
    clearTimeout(this.#rampTimer);
    if (resolution.changesInMs !== undefined) {
      this.#rampTimer = setTimeout(() => this.changed(), resolution.changesInMs).unref();
    }
  }

  /** Holds the slices of the Service and of every backend, and no others. */
  #follow(resource: ServiceWeight | undefined): void {
    const wanted = new Set([this.#target.service, ...split(resource).backends.map((backend) => backend.service)]);
    for (const service of wanted) {
      if (!this.#slices.has(service)) this.#slices.set(service, this.#copies.slices(service));
    }
    for (const [service, shared] of this.#slices) {
      if (wanted.has(service)) continue;
      this.#slices.delete(service);
      shared.release();
    }
  }

  #tell(latest: Parameters<Listener>[0]): void {
    this.#latest = latest;
    const told = JSON.stringify('error' in latest ? latest : latest.resolution.backends);
    // An error is repeated: a channel that has backed off is waiting for an answer of either kind.
    if (told === this.#told && !('error' in latest)) return;
    this.#told = told;
    for (const listener of this.#listeners) listener(latest);
  }

  #report(problems: readonly string[]): void {
    const text = problems.join('; ');
    if (text !== this.#reported && text !== '') this.#log.warn({ ...this.#target, problems }, 'discovery.problems');
    this.#reported = text;
  }
}
