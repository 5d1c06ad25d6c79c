import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { silentLog } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import type { ServiceWeight } from '../api/index.ts';
import { Operator } from '../operator.ts';
import { createMetrics, type Metrics } from '../runtime/index.ts';
import { ChatServer } from '../testing/chat-server.ts';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { until } from '../testing/until.ts';

const weights = '/apis/parley.dev/v1alpha1/namespaces/default/serviceweights';
const merge = { contentType: 'application/merge-patch+json' };

let cluster: Cluster;
/** What Prometheus says of a Service's error rate. */
const rates = new Map<string, string>();
let metrics: Metrics;

sharedFixture(async (stack) => {
  metrics = createMetrics();
  rates.clear();
  cluster = stack.use(await startCluster());
  const chat = stack.use(await ChatServer.listen());
  const prometheus = createServer((request, response) => {
    const query = new URL(request.url!, 'http://prometheus').searchParams.get('query') ?? '';
    const service = /pod=~"(.+?)-\.\*"/.exec(query)?.[1] ?? '';
    const value = rates.get(service);
    const result = value === undefined ? [] : [{ metric: {}, value: [0, value] }];
    response.end(JSON.stringify({ status: 'success', data: { resultType: 'vector', result } }));
  }).listen(0, '127.0.0.1');
  stack.defer(() => void prometheus.close());
  await once(prometheus, 'listening');
  const operator = new Operator({
    client: cluster.client({ metrics }),
    admin: chat.channel.client('chat.RoomAdminService'),
    users: chat.channel.client('auth.AuthService'),
    namespace: 'default',
    watchNamespace: 'default',
    identity: 'only',
    prometheus: { url: `http://127.0.0.1:${(prometheus.address() as AddressInfo).port}` },
    log: silentLog,
    metrics,
  });
  const stop = new AbortController();
  const running = operator.run(stop.signal);
  stack.defer(() => {
    stop.abort();
    return running;
  });
});

async function service(name: string, endpoints: number): Promise<void> {
  const ports = [{ name: 'grpc', port: 50051 }];
  const made = await cluster.api.request('POST', '/api/v1/namespaces/default/services', {
    body: { apiVersion: 'v1', kind: 'Service', metadata: { name }, spec: { ports } },
  });
  expect(made.status, JSON.stringify(made.body)).toBe(201);
  await ready(name, endpoints);
}
async function ready(name: string, endpoints: number): Promise<void> {
  const pods = {
    ports: [{ name: 'grpc', port: 50051 }],
    endpoints: Array.from({ length: 2 }, (_, i) => ({
      addresses: [`10.0.0.${i + 1}`],
      conditions: { ready: i < endpoints },
    })),
  };
  const body = {
    apiVersion: 'discovery.k8s.io/v1',
    kind: 'EndpointSlice',
    metadata: { name, labels: { 'kubernetes.io/service-name': name } },
    addressType: 'IPv4',
    // Of a Service without pods the slice says nothing: both are null then.
    ...(endpoints > 0 ? pods : {}),
  };
  const path = `/apis/discovery.k8s.io/v1/namespaces/default/endpointslices/${name}?fieldManager=test&force=true`;
  const answer = await cluster.api.request('PATCH', path, { body, contentType: 'application/apply-patch+yaml' });
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
}
async function weigh(name: string, spec: object): Promise<void> {
  await service(name, 0);
  await service(`${name}-stable`, 2);
  await service(`${name}-canary`, 2);
  const backends = [
    { service: `${name}-stable`, weight: 90 },
    { service: `${name}-canary`, weight: 10 },
  ];
  const body = {
    apiVersion: 'parley.dev/v1alpha1',
    kind: 'ServiceWeight',
    metadata: { name },
    spec: { service: name, backends, ...spec },
  };
  const answer = await cluster.api.request('POST', weights, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}
const get = async (name: string): Promise<ServiceWeight> =>
  (await cluster.api.request('GET', `${weights}/${name}`)).body;
const summary = (name: string, stable: number, canary: number) =>
  until(`${stable}/${canary}`, async () => {
    const { status } = await get(name);
    return status?.summary === `${name}-stable=${stable} ${name}-canary=${canary}` ? status : undefined;
  });
const phase = (name: string, wanted: string) =>
  until(wanted, async () => {
    const { status } = await get(name);
    return status?.rollout?.phase === wanted ? status : undefined;
  });
const annotate = (name: string, annotations: object) =>
  cluster.api.request('PATCH', `${weights}/${name}`, { body: { metadata: { annotations } }, ...merge });
const reasons = async (name: string) => {
  const { body } = await cluster.api.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
  return body.items
    .filter(({ regarding }: { regarding: { name: string } }) => regarding.name === name)
    .map(({ reason }: { reason: string }) => reason);
};

test('weight follows the endpoints, there and back', async () => {
  await weigh('plain', { slowStart: '30s' });
  const status = await summary('plain', 90, 10);
  expect(status).toMatchObject({
    slowStart: '30s',
    effective: [
      { service: 'plain-stable', weight: 90, endpoints: 2 },
      { service: 'plain-canary', weight: 10, endpoints: 2 },
    ],
  });
  await ready('plain-canary', 0);
  await summary('plain', 90, 0);
  await ready('plain-canary', 1);
  await summary('plain', 90, 10);
  await until('the Events', async () => (await reasons('plain')).includes('WeightMoved'));
});

test('a rollout goes through its steps by itself, with an Event at each', async () => {
  await weigh('goes', {
    rollout: {
      backend: 'goes-canary',
      steps: [{ weight: 10, pause: '1s' }, { weight: 50, pause: '1s' }, { weight: 100 }],
    },
  });
  await summary('goes', 90, 10);
  await summary('goes', 50, 50);
  const { rollout, effective } = await phase('goes', 'Complete');
  expect(rollout).toMatchObject({ step: 3 });
  expect(effective?.map(({ weight }) => weight)).toEqual([0, 100]);
  await until('the Events', async () => {
    const told = await reasons('goes');
    return told.filter((reason: string) => reason === 'RolloutStep').length === 3 && told.includes('RolloutComplete');
  });
});

test('a canary that fails its calls is taken back', async () => {
  rates.set('fails-canary', '0.01');
  await weigh('fails', { rollout: { backend: 'fails-canary', steps: [{ weight: 20, pause: '1h' }, { weight: 100 }] } });
  await summary('fails', 80, 20);
  rates.set('fails-canary', '0.5');
  const { conditions } = await phase('fails', 'Aborted');
  expect(conditions?.find(({ type }) => type === 'Progressing')).toMatchObject({
    reason: 'RolloutAborted',
    message: expect.stringContaining('fails 50.0 % of its calls'),
  });
  await summary('fails', 90, 10);
}, 40_000);

test('a canary without endpoints loses its traffic at once and its rollout soon after', async () => {
  await weigh('dies', { rollout: { backend: 'dies-canary', steps: [{ weight: 50, pause: '1h' }, { weight: 100 }] } });
  await summary('dies', 50, 50);
  await ready('dies-canary', 0);
  await summary('dies', 50, 0);
  expect((await get('dies')).status?.rollout?.phase).toBe('Progressing');
  await phase('dies', 'Aborted');
  await ready('dies-canary', 2);
  await summary('dies', 90, 10);
}, 40_000);

test('annotations hold a rollout and end it', async () => {
  await weigh('held', { rollout: { backend: 'held-canary', steps: [{ weight: 30, pause: '1h' }, { weight: 100 }] } });
  await summary('held', 70, 30);
  await annotate('held', { 'parley.dev/pause': 'true' });
  await phase('held', 'Paused');
  await annotate('held', { 'parley.dev/pause': null });
  await phase('held', 'Progressing');
  await annotate('held', { 'parley.dev/abort': 'true' });
  await phase('held', 'Aborted');
  await summary('held', 90, 10);
});

test('a second reconcile writes nothing, whatever others say in the status', async () => {
  const total = async (counter: typeof metrics.reconciles | typeof metrics.restRequests, labels: object) => {
    const { values } = await counter.get();
    return values
      .filter((value) =>
        Object.entries(labels).every(([name, wanted]) =>
          Object.entries(value.labels).some(([n, v]) => n === name && v === wanted),
        ),
      )
      .reduce((sum, { value }) => sum + value, 0);
  };
  await weigh('still', {});
  await summary('still', 90, 10);
  const theirs = {
    type: 'Audited',
    status: 'True',
    reason: 'Looked',
    message: '',
    lastTransitionTime: '2026-11-23T12:00:00Z',
  };
  const answer = await cluster.api.request('PATCH', `${weights}/still/status?fieldManager=auditor`, {
    body: {
      apiVersion: 'parley.dev/v1alpha1',
      kind: 'ServiceWeight',
      metadata: { name: 'still' },
      status: { conditions: [theirs] },
    },
    contentType: 'application/apply-patch+yaml',
  });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  const reconciles = () => total(metrics.reconciles, { controller: 'serviceweight' });
  const writes = () => total(metrics.restRequests, { method: 'PATCH' });
  const [begun, before] = [await reconciles(), await writes()];
  for (let i = 1; i <= 3; i++) {
    await cluster.api.request('PATCH', `${weights}/still`, {
      body: { metadata: { labels: { look: `${i}` } } },
      ...merge,
    });
    await until('a reconcile', async () => (await reconciles()) >= begun + i);
  }
  expect(await writes()).toBe(before);
  expect((await get('still')).status?.conditions).toContainEqual(theirs);
});
