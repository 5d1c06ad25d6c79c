import type { KubeConfig } from '@kubernetes/client-node';
import { Api } from './api.ts';
import type { EndpointSlice, ServiceWeight } from './kubernetes.ts';
import { Lookup, type Shared } from './lookup.ts';
import { type Labels, type Log, type Metrics, noMetrics, silentLog } from './observe.ts';
import { defaultTiming, type Query, Reflector, type Timing } from './reflector.ts';
import type { KubernetesTarget } from './target.ts';

export interface DirectoryOptions {
  /** Called once, at the first k8s:/// target, so that processes without one need no cluster. */
  kubeConfig: () => KubeConfig | Promise<KubeConfig>;
  zone?: string;
  log?: Log;
  metrics?: Metrics;
  timing?: Partial<Timing>;
}

interface Entry {
  reflector: Reflector<EndpointSlice & ServiceWeight>;
  holders: number;
}

/**
 * Everything this process knows of the cluster: one watch per Service for its EndpointSlices and one for its
 * ServiceWeight, however many channels ask. A watch ends with its last holder; what it knew stays.
 */
export class Directory {
  readonly #options: DirectoryOptions;
  readonly #log: Log;
  readonly #entries = new Map<string, Entry>();
  readonly #lookups = new Map<string, Lookup>();
  readonly #lists: { inc(labels: Labels): void };
  readonly #failures: { inc(labels: Labels): void };
  #api: Promise<Api> | undefined;

  constructor(options: DirectoryOptions) {
    this.#options = options;
    this.#log = options.log ?? silentLog;
    const metrics = options.metrics ?? noMetrics;
    const labels = ['namespace', 'service', 'resource'];
    this.#lists = metrics.counter('parley_discovery_lists_total', 'Lists read from the API server.', labels);
    this.#failures = metrics.counter(
      'parley_discovery_watch_failures_total',
      'Lists and watches that failed; reason is an HTTP status, network or silent.',
      [...labels, 'reason'],
    );
    const ages = () => this.#ages();
    metrics.gauge(
      'parley_discovery_list_age_seconds',
      'How long ago the API server last confirmed what is known; up to 40 in peace.',
      labels,
      function () {
        this.reset();
        for (const [of, seconds] of ages()) this.set(of, seconds);
      },
    );
    const counts = () => this.#counts();
    metrics.gauge(
      'parley_discovery_endpoints',
      'Endpoints of each backend that calls go to.',
      ['target', 'backend'],
      function () {
        this.reset();
        for (const [of, count] of counts()) this.set(of, count);
      },
    );
  }

  /** The one lookup of a target. @throws when the kubeconfig cannot be read */
  async lookup(target: KubernetesTarget): Promise<Lookup> {
    this.#api ??= this.#connect();
    const api = await this.#api;
    const namespace = target.namespace ?? api.namespace;
    const key = `${target.service}.${namespace}${target.port === undefined ? '' : `:${target.port}`}`;
    const known = this.#lookups.get(key);
    if (known) return known;
    const lookup = new Lookup(
      { ...target, namespace },
      this.#options.zone,
      {
        slices: (service) => this.#share<EndpointSlice>(api, service, slicesOf(namespace, service)),
        weight: () => this.#share<ServiceWeight>(api, target.service, weightOf(namespace, target.service)),
      },
      this.#log,
    );
    this.#lookups.set(key, lookup);
    return lookup;
  }

  /** Ends all watches. */
  close(): void {
    for (const { reflector } of this.#entries.values()) reflector.stop();
  }

  async #connect(): Promise<Api> {
    try {
      return new Api(await this.#options.kubeConfig(), this.#timing.connectMs);
    } catch (error) {
      this.#api = undefined;
      throw error;
    }
  }

  get #timing(): Timing {
    return { ...defaultTiming, ...this.#options.timing };
  }

  #share<T extends EndpointSlice | ServiceWeight>(api: Api, service: string, query: Query): Shared<T> {
    const key = [query.resource, query.namespace, service].join('/');
    const entry = this.#entries.get(key) ?? { reflector: this.#reflector(api, service, query), holders: 0 };
    this.#entries.set(key, entry);
    entry.holders += 1;
    entry.reflector.start();
    let held = true;
    const release = () => {
      if (held && --entry.holders === 0) entry.reflector.stop();
      held = false;
    };
    return { reflector: entry.reflector as unknown as Shared<T>['reflector'], release };
  }

  #reflector(api: Api, service: string, query: Query): Entry['reflector'] {
    const labels = { namespace: query.namespace, service, resource: query.resource };
    const events = {
      changed: () => {
        for (const lookup of this.#lookups.values()) lookup.changed();
      },
      listed: () => this.#lists.inc(labels),
      failed: (reason: string) => this.#failures.inc({ ...labels, reason }),
    };
    return new Reflector(api, query, events, this.#log, this.#timing);
  }

  *#ages(): Iterable<[Labels, number]> {
    for (const [key, { reflector, holders }] of this.#entries) {
      if (holders === 0 || reflector.confirmedAt === undefined) continue;
      const [resource, namespace, service] = key.split('/') as [string, string, string];
      yield [{ namespace, service, resource }, (Date.now() - reflector.confirmedAt) / 1000];
    }
  }

  *#counts(): Iterable<[Labels, number]> {
    for (const [target, lookup] of this.#lookups) {
      for (const { name, endpoints } of lookup.latest?.backends ?? [])
        yield [{ target, backend: name }, endpoints.length];
    }
  }
}

function slicesOf(namespace: string, service: string): Query {
  const labelSelector = `kubernetes.io/service-name=${service}`;
  return { group: 'discovery.k8s.io', version: 'v1', resource: 'endpointslices', namespace, labelSelector };
}

function weightOf(namespace: string, service: string): Query {
  const fieldSelector = `metadata.name=${service}`;
  return {
    group: 'parley.dev',
    version: 'v1alpha1',
    resource: 'serviceweights',
    namespace,
    fieldSelector,
    optional: true,
  };
}
