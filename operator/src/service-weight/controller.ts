import { isDeepStrictEqual } from 'node:util';
import { SERVICE_WEIGHTS, type ServiceWeight } from '../api/index.ts';
import {
  type ApiClient,
  apply,
  type EventRecorder,
  type Reflector,
  type Result,
  type Written,
} from '../runtime/index.ts';
import type { EndpointSlice, Service } from './endpoints.ts';
import { type Observed, plan, saidOf } from './plan.ts';
import { errorRate, type PrometheusOptions } from './prometheus.ts';

const FIELD_OWNER = 'parley-operator';
/** The index of the slices' store by their Service, `namespace/name`. */
export const BY_SERVICE = 'service';
/** The index of the weights' store by the Services that they name, `namespace/name`. */
export const BY_BACKEND = 'backend';

export interface ServiceWeightControllerOptions {
  /** Fenced by the term. */
  client: ApiClient;
  weights: Reflector<ServiceWeight>;
  services: Reflector<Service>;
  slices: Reflector<EndpointSlice>;
  written: Written<ServiceWeight>;
  events: EventRecorder;
  prometheus?: PrometheusOptions | undefined;
  maxErrorRate: number;
}

/** Writes down where the traffic of Services goes. */
export class ServiceWeightController {
  readonly #options: ServiceWeightControllerOptions;

  constructor(options: ServiceWeightControllerOptions) {
    this.#options = options;
  }

  /** One pass over a resource: gathers, plans, writes what is new. */
  async reconcile(key: string, signal: AbortSignal): Promise<Result | undefined> {
    const { client, written, events } = this.#options;
    const weight = written.get(key);
    if (!weight) written.forget(key);
    if (!weight || weight.metadata.deletionTimestamp) return;
    const { status, events: texts, againInMs } = plan(weight, await this.#observe(weight, signal), new Date());
    if (!isDeepStrictEqual(status, saidOf(weight))) {
      const { name, namespace, resourceVersion } = weight.metadata;
      const wanted = { metadata: { name, namespace, resourceVersion }, status };
      const options = { fieldOwner: FIELD_OWNER, subresource: 'status', signal };
      written.put(await apply<ServiceWeight>(client, SERVICE_WEIGHTS, wanted, options));
      for (const text of texts) events.record(SERVICE_WEIGHTS, weight, text);
    }
    return againInMs === undefined ? undefined : { requeueAfterMs: againInMs };
  }

  async #observe(weight: ServiceWeight, signal: AbortSignal): Promise<Observed> {
    const { services, slices, maxErrorRate } = this.#options;
    const namespace = weight.metadata.namespace ?? 'default';
    const names = namesIn(weight);
    const found = names.flatMap((name): [string, Service][] => {
      const service = services.store.get(`${namespace}/${name}`);
      return service ? [[name, service]] : [];
    });
    return {
      services: new Map(found),
      slices: new Map(names.map((name) => [name, slices.store.byIndex(BY_SERVICE, `${namespace}/${name}`)])),
      calls: await this.#calls(weight, namespace, signal),
      maxErrorRate,
    };
  }

  async #calls(weight: ServiceWeight, namespace: string, signal: AbortSignal): Promise<Observed['calls']> {
    const { prometheus } = this.#options;
    const service = weight.spec?.rollout?.backend;
    // Until the first step nobody calls it, and after the end nobody asks.
    if (!prometheus || !service || !['Progressing', 'Paused'].includes(weight.status?.rollout?.phase ?? '')) return {};
    try {
      const rate = await errorRate(prometheus, { namespace, service }, signal);
      return rate === undefined ? {} : { errorRate: rate };
    } catch (error) {
      signal.throwIfAborted();
      return { unknown: `Prometheus gives no error rate (${(error as Error).message})` };
    }
  }
}

/** The Services that a ServiceWeight names, as keys. */
export function servicesOf(weight: ServiceWeight): string[] {
  const { namespace = 'default' } = weight.metadata;
  return [...new Set(namesIn(weight).map((name) => `${namespace}/${name}`))];
}

/** The Services that a spec names, whatever else is in it: it may be older than the rules of its definition. */
function namesIn({ spec }: ServiceWeight): string[] {
  const backends = Array.isArray(spec?.backends) ? spec.backends.map((backend) => backend?.service) : [];
  return [spec?.service, ...backends].filter((name) => typeof name === 'string');
}

/** The key of the Service that a slice belongs to. */
export function serviceOf(slice: EndpointSlice, label: string): string[] {
  const name = slice.metadata.labels?.[label];
  return name === undefined ? [] : [`${slice.metadata.namespace}/${name}`];
}
