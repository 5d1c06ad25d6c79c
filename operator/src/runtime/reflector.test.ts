import { createServer } from 'node:http';
import { request as httpsRequest } from 'node:https';
import type { AddressInfo } from 'node:net';
import { KubeConfig } from '@kubernetes/client-node';
import type { ApiServer } from '@parley/apiserver';
import { startApiServer } from '@parley/apiserver';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { until } from '../testing/until.ts';
import { ApiClient } from './client.ts';
import { silent } from './log.ts';
import { createMetrics, type Metrics } from './metrics.ts';
import { Reflector, type ReflectorOptions } from './reflector.ts';
import type { KubeObject, ResourceType } from './resource.ts';

const CONFIG_MAPS: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'ConfigMap',
  plural: 'configmaps',
  namespaced: true,
};
const path = '/api/v1/namespaces/default/configmaps';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}

let api: ApiServer;
let client: ApiClient;
let metrics: Metrics;
let stop: AbortController;
let runs: Promise<void>[];

sharedFixture(async (stack) => {
  // Without the watch cache a compaction makes every older watch a 410.
  api = stack.use(await startApiServer({ flags: ['--watch-cache=false'] }));
  await api.request('DELETE', path);
});

beforeEach(() => {
  const config = new KubeConfig();
  config.loadFromOptions(api.kubeConfig());
  metrics = createMetrics();
  client = new ApiClient(config, { metrics });
  stop = new AbortController();
  runs = [];
});
afterEach(async () => {
  stop.abort();
  await Promise.all(runs);
  await client.close();
});

function reflect(options: Partial<ReflectorOptions<ConfigMap>> = {}): Reflector<ConfigMap> {
  const reflector = new Reflector<ConfigMap>({
    client,
    resource: CONFIG_MAPS,
    namespace: 'default',
    metrics,
    ...options,
  });
  runs.push(reflector.run(stop.signal));
  return reflector;
}

const put = async (name: string, value: string) => {
  const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, labels: { value } }, data: { value } };
  const query = '?fieldManager=test&force=true';
  const answer = await api.request('PATCH', `${path}/${name}${query}`, {
    body,
    contentType: 'application/apply-patch+yaml',
  });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
};
const lists = async (cause: string) => {
  const { values } = await metrics.lists.get();
  return values.find(({ labels }) => labels.cause === cause)?.value ?? 0;
};
const sees = (reflector: Reflector<ConfigMap>, name: string, value: string | undefined) =>
  until(`${name}=${value}`, () => reflector.store.get(`default/${name}`)?.data?.['value'] === value);

/** Writes past the API server, in etcd. */
async function etcd(url: string, call: string, body: object): Promise<void> {
  const answer = await fetch(`${url}/v3/kv/${call}`, { method: 'POST', body: JSON.stringify(body) });
  expect(answer.ok, await answer.text()).toBe(true);
}
const base64 = (text: string) => Buffer.from(text).toString('base64');
const etcdDelete = (url: string, key: string) => etcd(url, 'deleterange', { key: base64(key) });
const etcdPut = (url: string, name: string) =>
  etcd(url, 'put', {
    key: base64(`/registry/configmaps/default/${name}`),
    value: base64(
      JSON.stringify({
        apiVersion: 'v1',
        kind: 'ConfigMap',
        metadata: { name, namespace: 'default', uid: crypto.randomUUID() },
      }),
    ),
  });

test('the store is what the API server has: listed by pages, then watched', async () => {
  for (let i = 0; i < 7; i++) await put(`page-${i}`, 'x');
  const reflector = reflect({ pageSize: 3, indexes: { value: (o) => [o.data?.['value'] ?? ''] } });
  expect(reflector.hasSynced).toBe(false);
  await reflector.synced;
  expect([...reflector.store.keys()].filter((key) => key.includes('page-'))).toHaveLength(7);
  await put('page-0', 'y');
  await sees(reflector, 'page-0', 'y');
  expect(reflector.store.byIndex('value', 'y').map((o) => o.metadata.name)).toEqual(['page-0']);
  await api.request('DELETE', `${path}/page-1`);
  await sees(reflector, 'page-1', undefined);
  expect(await lists('start')).toBe(1);
});

test('a selector holds for the list and for the watch', async () => {
  await put('picked', 'yes');
  await put('left', 'no');
  const reflector = reflect({ labelSelector: 'value=yes' });
  await reflector.synced;
  await put('left-too', 'no');
  await put('picked-too', 'yes');
  await sees(reflector, 'picked-too', 'yes');
  expect([...reflector.store.keys()].sort()).toEqual(['default/picked', 'default/picked-too']);
});

test('a watch that the server ends goes on where it was, without a list', async () => {
  const reflector = reflect({ watchMs: 1_000 });
  await reflector.synced;
  const watches = async () => {
    const { values } = await metrics.restRequests.get();
    return values.reduce((sum, { value }) => sum + value, 0);
  };
  await until('three watches more', async () => (await watches()) >= 4);
  await put('after-reopening', '1');
  await sees(reflector, 'after-reopening', '1');
  expect(await lists('start')).toBe(1);
  expect(await lists('gone')).toBe(0);
});

test('410 Gone makes exactly one list, and tells what changed meanwhile', async () => {
  const reflector = reflect();
  await reflector.synced;
  await put('gone', '1');
  await sees(reflector, 'gone', '1');
  const changes: string[] = [];
  reflector.onChange(({ type, object }) => changes.push(`${type} ${object.metadata.name}`));
  changes.length = 0;
  // Behind the stopped server things change, and the history that the watch would go on from is compacted away.
  api.pause();
  const { etcdUrl } = api;
  await etcdPut(etcdUrl, 'made-meanwhile');
  await etcdDelete(etcdUrl, '/registry/configmaps/default/gone');
  await api.compact();
  await api.stop('SIGKILL');
  await api.start();
  await until('the new one', () => reflector.store.get('default/made-meanwhile'));
  expect(reflector.store.get('default/gone')).toBeUndefined();
  expect(changes.sort()).toEqual(['added made-meanwhile', 'deleted gone']);
  await put('and-on', '1');
  await sees(reflector, 'and-on', '1');
  expect(await lists('gone')).toBe(1);
});

test('while the API server is away the store stays, and changes are seen once it is back', async () => {
  await put('kept', '1');
  const reflector = reflect();
  await reflector.synced;
  await api.stop('SIGKILL');
  await until('a failed call', async () => {
    const { values } = await metrics.restRequests.get();
    return values.some(({ labels }) => labels.code === '<error>');
  });
  expect(reflector.store.get('default/kept')?.data).toEqual({ value: '1' });
  await api.start();
  await put('kept', '2');
  await sees(reflector, 'kept', '2');
});

test('a watch that falls silent is noticed and opened again', async () => {
  const reflector = reflect({ watchMs: 1_000, graceMs: 500 });
  await reflector.synced;
  api.pause();
  try {
    await until('the silence noticed', async () =>
      (await metrics.silentWatches.get()).values.some(({ value }) => value > 0),
    );
  } finally {
    api.resume();
  }
  await put('after-silence', '1');
  await sees(reflector, 'after-silence', '1');
});

test('what a handler throws reaches nobody', async () => {
  const reflector = reflect();
  reflector.onChange(() => {
    throw new Error('a handler failed');
  });
  await reflector.synced;
  await put('survives', '1');
  await sees(reflector, 'survives', '1');
});

test('every object is told again at each resync', async () => {
  await put('told-again', '1');
  const told: string[] = [];
  const reflector = reflect({ resyncMs: 50 });
  reflector.onChange(({ type, object }) => type === 'resync' && told.push(object.metadata.name));
  await until('two resyncs', () => told.filter((name) => name === 'told-again').length >= 2);
});

/** A proxy before the API server that answers watches itself, for as long as `answer` has something to say to one. */
async function proxied(answer: (watch: number) => string | undefined) {
  let watches = 0;
  const proxy = createServer((request, response) => {
    const own = request.url!.includes('watch=true') ? answer(++watches) : undefined;
    if (own !== undefined) {
      response.setHeader('content-type', 'application/json');
      response.end(own);
      return;
    }
    const { ca, url } = api;
    const { authorization = '' } = request.headers;
    const outgoing = httpsRequest(new URL(request.url!, url), { ca, headers: { authorization } }, (incoming) => {
      response.writeHead(incoming.statusCode!, { 'content-type': 'application/json' });
      incoming.pipe(response);
    });
    response.on('close', () => outgoing.destroy());
    outgoing.on('error', () => response.destroy());
    outgoing.end();
  });
  await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve));
  const server = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
  const config = new KubeConfig();
  config.loadFromOptions({
    ...api.kubeConfig(),
    clusters: [{ name: 'test', server, skipTLSVerify: true }],
  });
  const through = new ApiClient(config, { metrics });
  const failures: number[] = [];
  const log = {
    ...silent,
    warn: (fields: object) => failures.push((fields as { failures: number }).failures),
    debug: (fields: object) => failures.push((fields as { failures: number }).failures),
  };
  return {
    client: through,
    log,
    failures,
    watches: () => watches,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(runs);
      await through.close();
      proxy.closeAllConnections();
      proxy.close();
    },
  };
}

test('watches that end at once are waited for longer and longer, not asked for as fast as they end', async () => {
  await using proxy = await proxied((watch) => (watch <= 5 ? '' : undefined));
  const reflector = reflect({ client: proxy.client, log: proxy.log });
  await reflector.synced;
  await until('a watch that stays', () => proxy.watches() === 6);
  expect(proxy.failures).toEqual([1, 2, 3, 4, 5]);
  await put('through', 'proxy');
  await sees(reflector, 'through', 'proxy');
});

test('a server that keeps refusing to watch from a version is asked for all anew', async () => {
  const refusal = {
    kind: 'Status',
    code: 504,
    reason: 'Timeout',
    message: 'Too large resource version: 9, current: 5',
  };
  await using proxy = await proxied((watch) =>
    watch <= 5 ? `${JSON.stringify({ type: 'ERROR', object: refusal })}\n` : undefined,
  );
  const reflector = reflect({ client: proxy.client, log: proxy.log });
  await reflector.synced;
  await until('a list', async () => (await lists('error')) === 1);
  await put('restored', 'yes');
  await sees(reflector, 'restored', 'yes');
  expect(await lists('error')).toBe(1);
});
