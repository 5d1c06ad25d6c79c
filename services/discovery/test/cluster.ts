import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { ApiServer } from '@parley/apiserver';
import type { Resolution } from '../src/endpoints.ts';
import type { SliceEndpoint } from '../src/kubernetes.ts';
import type { Labels, Metrics } from '../src/observe.ts';

const slices = (namespace: string) => `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
const weights = (namespace: string) => `/apis/parley.dev/v1alpha1/namespaces/${namespace}/serviceweights`;

/** What a slice in a test says; a string stands for a ready endpoint with that address. */
export interface SliceShape {
  service: string;
  endpoints: (string | SliceEndpoint)[];
  addressType?: string;
  ports?: { name: string; port: number }[];
}

/** Writes EndpointSlices, as the controller manager would, and ServiceWeights, as the operator would. */
export class Cluster {
  readonly api: ApiServer;
  readonly namespace: string;

  constructor(api: ApiServer, namespace: string) {
    this.api = api;
    this.namespace = namespace;
  }

  /** A namespace of its own. */
  static async create(api: ApiServer, namespace: string): Promise<Cluster> {
    await ok(api, 'POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: namespace } });
    return new Cluster(api, namespace);
  }

  /** Creates or replaces a slice. */
  async slice(name: string, { service, endpoints, addressType = 'IPv4', ports }: SliceShape): Promise<void> {
    await this.#put(slices(this.namespace), name, {
      apiVersion: 'discovery.k8s.io/v1',
      kind: 'EndpointSlice',
      metadata: { name, labels: { 'kubernetes.io/service-name': service } },
      addressType,
      endpoints: endpoints.map((each) => (typeof each === 'string' ? { addresses: [each] } : each)),
      ports: ports ?? [{ name: 'grpc', port: 50051, protocol: 'TCP' }],
    });
  }

  deleteSlice(name: string): Promise<void> {
    return ok(this.api, 'DELETE', `${slices(this.namespace)}/${name}`);
  }

  async weight(service: string, spec: object, status?: object): Promise<void> {
    const head = { apiVersion: 'parley.dev/v1alpha1', kind: 'ServiceWeight' };
    await this.#put(weights(this.namespace), service, {
      ...head,
      metadata: { name: service },
      spec: { service, ...spec },
    });
    if (!status) return;
    const path = `${weights(this.namespace)}/${service}`;
    const { body } = await this.api.request('GET', path);
    await ok(this.api, 'PUT', `${path}/status`, { ...body, status });
  }

  deleteWeight(service: string): Promise<void> {
    return ok(this.api, 'DELETE', `${weights(this.namespace)}/${service}`);
  }

  async #put(path: string, name: string, object: { metadata: object } & Record<string, unknown>): Promise<void> {
    const before = await this.api.request('GET', `${path}/${name}`);
    if (before.status === 404) return ok(this.api, 'POST', path, object);
    const { resourceVersion } = before.body.metadata;
    return ok(this.api, 'PUT', `${path}/${name}`, { ...object, metadata: { ...object.metadata, resourceVersion } });
  }
}

/** ServiceWeight's definition, as loose as these tests need it; the operator has the strict one. */
export async function defineServiceWeight(api: ApiServer): Promise<void> {
  const names = {
    kind: 'ServiceWeight',
    listKind: 'ServiceWeightList',
    plural: 'serviceweights',
    singular: 'serviceweight',
  };
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } };
  await ok(api, 'POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'serviceweights.parley.dev' },
    spec: {
      group: 'parley.dev',
      scope: 'Namespaced',
      names,
      versions: [{ name: 'v1alpha1', served: true, storage: true, subresources: { status: {} }, schema }],
    },
  });
  await until('the definition is served', async () => (await api.request('GET', weights('default'))).status === 200);
}

export function kubeConfig(api: ApiServer, namespace: string, user = 'admin', server = api.url): KubeConfig {
  const options = api.kubeConfig(user, namespace);
  const config = new KubeConfig();
  config.loadFromOptions({ ...options, clusters: options.clusters.map((cluster) => ({ ...cluster, server })) });
  return config;
}

/** A TCP proxy whose open connections can be made to say nothing more, while new ones work. */
export class StallingProxy implements AsyncDisposable {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  /** While set, connections are closed as soon as they come. */
  #cut = false;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async to(port: number): Promise<StallingProxy> {
    const server = createServer();
    const proxy = new StallingProxy(server);
    server.on('connection', (near) => {
      if (proxy.#cut) {
        near.destroy();
        return;
      }
      const far = connect(port, '127.0.0.1');
      for (const [from, into] of [
        [near, far],
        [far, near],
      ] as const) {
        proxy.#sockets.add(from);
        from.on('data', (chunk) => into.write(chunk));
        from.on('error', () => into.destroy());
        from.on('close', () => into.destroy());
      }
    });
    server.listen(0, '127.0.0.1');
    await new Promise((resolve) => server.once('listening', resolve));
    return proxy;
  }

  get url(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Every connection that is open now stays open and passes nothing on any more. */
  stall(): void {
    for (const socket of this.#sockets) socket.pause();
  }

  /** Closes every connection, and new ones until `mend`. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#sockets) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    this.#server.close();
  }
}

/** Metrics that a test can read. */
export class Counted implements Metrics {
  readonly counts = new Map<string, number>();
  readonly #collectors = new Map<string, (this: { reset(): void; set(labels: Labels, value: number): void }) => void>();

  counter(name: string) {
    return {
      inc: (labels: Labels) => {
        const key = [name, ...Object.values(labels)].join(' ');
        this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
      },
    };
  }

  gauge(name: string, _help: string, _labels: string[], collect: Parameters<Metrics['gauge']>[3]) {
    this.#collectors.set(name, collect);
  }

  /** A gauge's values by their labels. */
  read(name: string): Map<string, number> {
    const values = new Map<string, number>();
    const set = (labels: Labels, value: number) => values.set(Object.values(labels).join(' '), value);
    this.#collectors.get(name)!.call({ reset() {}, set });
    return values;
  }
}

/** A resolution in one line: `stable*90 10.0.0.1 10.0.0.2 | canary*10 10.0.0.3`. */
export function show(resolution: Resolution | undefined): string {
  const host = (addresses: { host: string }[]) => addresses.map((address) => address.host).join('+');
  return (resolution?.backends ?? [])
    .map(({ name, weight, endpoints }) =>
      [`${name}*${weight}`, ...endpoints.map((each) => host(each.addresses)).sort()].join(' '),
    )
    .join(' | ');
}

/** Waits until the condition holds. @throws after the time, saying what was waited for */
export async function until(
  what: string,
  condition: () => boolean | Promise<boolean>,
  timeoutMs = 15_000,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`${what} did not happen within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

async function ok(api: ApiServer, method: string, path: string, body?: unknown): Promise<void> {
  const answer = await api.request(method, path, { body });
  if (answer.status >= 300)
    throw new Error(`${method} ${path} was answered ${answer.status}: ${JSON.stringify(answer.body)}`);
}
