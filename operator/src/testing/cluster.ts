import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { KubeConfig } from '@kubernetes/client-node';
import { type ApiServer, lendApiServer } from '@parley/apiserver';
import { crds } from '../api/index.ts';
import { ApiClient, type ApiClientOptions } from '../runtime/index.ts';
import { until } from './until.ts';

/** One line of the API server's audit log, as far as tests read it. */
export interface Asked {
  verb: string;
  user: { username: string };
  userAgent: string;
  requestURI: string;
  objectRef?: { apiGroup?: string; namespace?: string; resource: string; subresource?: string; name?: string };
  responseStatus?: { code: number };
}

/** A real API server that knows the custom resources. */
export interface Cluster extends AsyncDisposable {
  readonly api: ApiServer;
  /** A client of a user, over connections of its own; closed with the cluster. */
  client(options?: ApiClientOptions & { user?: string }): ApiClient;
  kubeConfig(user?: string): KubeConfig;
  /** What the API server has been asked since this cluster was there, in order. */
  asked(): Promise<Asked[]>;
}

/** An API server with nothing but the CRDs in it: one that is lent, or, for a benchmark, one that it starts itself. */
export async function startCluster(getApiServer: () => Promise<ApiServer> = lendApiServer): Promise<Cluster> {
  const api = await getApiServer();
  const auditLog = await stat(api.auditLog).catch(() => ({ size: 0 }));
  const clients: ApiClient[] = [];
  const cluster: Cluster = {
    api,
    kubeConfig(user = 'admin') {
      const config = new KubeConfig();
      config.loadFromOptions(api.kubeConfig(user));
      return config;
    },
    client({ user = 'admin', ...clientOptions } = {}) {
      const client = new ApiClient(cluster.kubeConfig(user), clientOptions);
      clients.push(client);
      return client;
    },
    async asked() {
      const lines = (await text(createReadStream(api.auditLog, { start: auditLog.size }))).split('\n');
      return lines.filter((line) => line !== '').map((line) => JSON.parse(line) as Asked);
    },
    async [Symbol.asyncDispose]() {
      await Promise.all(clients.map((client) => client.close()));
      await api[Symbol.asyncDispose]();
    },
  };
  try {
    for (const crd of crds) {
      const answer = await api.request('POST', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
        body: crd,
      });
      if (answer.status !== 201) throw new Error(JSON.stringify(answer.body));
    }
    for (const { spec } of crds) {
      const path = `/apis/${spec.group}/v1alpha1/namespaces/default/${spec.names.plural}`;
      await until(`serving ${path}`, async () => (await api.request('GET', path)).status === 200);
    }
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
  return cluster;
}
