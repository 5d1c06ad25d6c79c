import { RpcChannel, silentLog } from '@parley/kit';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type ChatRoom, ROOM_FINALIZER } from './api/index.ts';
import { Operator, type OperatorOptions } from './operator.ts';
import { releaseFinalizers } from './release.ts';
import { leaderRules, type PolicyRule, releaseRules, watchRules } from './rules.ts';
import { createMetrics, findCondition } from './runtime/index.ts';
import { ChatServer } from './testing/chat-server.ts';
import { type Cluster, startCluster } from './testing/cluster.ts';
import { until } from './testing/until.ts';

let cluster: Cluster;
let chat: ChatServer;
let running: { stop: AbortController; done: Promise<void> }[] = [];
let namespace: string;
let path: string;

beforeAll(async () => {
  cluster = await startCluster();
  chat = await ChatServer.listen();
}, 90_000);
afterAll(async () => {
  await chat?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

const post = async (at: string, body: object) => {
  const answer = await cluster.api.request('POST', at, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body;
};
async function allow(user: string, rules: PolicyRule[]): Promise<void> {
  const rbac = `/apis/rbac.authorization.k8s.io/v1/namespaces/${namespace}`;
  await post(`${rbac}/roles`, { metadata: { name: user }, rules });
  await post(`${rbac}/rolebindings`, {
    metadata: { name: user },
    roleRef: { apiGroup: 'rbac.authorization.k8s.io', kind: 'Role', name: user },
    subjects: [{ kind: 'User', name: user, apiGroup: 'rbac.authorization.k8s.io' }],
  });
  // The authorizer learns of it by a watch.
  const token = cluster.api.tokenOf(user);
  await until('allowed', async () => (await cluster.api.request('GET', path, { token })).status === 200);
}

beforeEach(async () => {
  namespace = `test-${crypto.randomUUID().slice(0, 8)}`;
  path = `/apis/parley.dev/v1alpha1/namespaces/${namespace}/chatrooms`;
  await post('/api/v1/namespaces', { metadata: { name: namespace } });
  await allow('operator', [...watchRules, ...leaderRules]);
});
afterEach(async () => {
  for (const { stop } of running) stop.abort();
  await Promise.all(running.map(({ done }) => done));
  running = [];
});

/** An operator that may do what its Role says, and no more. */
function start(identity: string, options: Partial<OperatorOptions> = {}) {
  const stop = new AbortController();
  const operator = new Operator({
    client: cluster.client({ user: 'operator', userAgent: `operator-${namespace}` }),
    admin: chat.channel.client('chat.RoomAdminService'),
    users: chat.channel.client('auth.AuthService'),
    namespace,
    watchNamespace: namespace,
    identity,
    log: silentLog,
    metrics: createMetrics(),
    election: { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 200 },
    retry: { baseMs: 20, maxMs: 500, perSecond: 1_000, burst: 1_000 },
    ...options,
  });
  const done = operator.run(stop.signal);
  running.push({ stop, done });
  return { operator, stop, done };
}
const create = (name: string, spec: object = {}) =>
  post(path, {
    apiVersion: 'parley.dev/v1alpha1',
    kind: 'ChatRoom',
    metadata: { name },
    spec: { roomId: `${namespace}.${name}`, displayName: name, ...spec },
  });
const get = async (name: string): Promise<ChatRoom> => (await cluster.api.request('GET', `${path}/${name}`)).body;
/** What the API server was asked by operators under their Role, with the answer's code. */
const asked = async () => (await cluster.asked()).filter(({ user }) => user.username === 'operator');
const ready = (name: string) =>
  until(
    `${name} is Ready`,
    async () => findCondition((await get(name)).status?.conditions, 'Ready')?.status === 'True',
  );
const gone = (name: string) =>
  until(`${name} is gone`, async () => (await cluster.api.request('GET', `${path}/${name}`)).status === 404);

test('with its Role and no more it does all it has to, and is refused nothing', async () => {
  start('only');
  chat.make(`${namespace}.adopted`);
  await create('adopted', { members: ['nobody'] });
  await post(`/apis/parley.dev/v1alpha1/namespaces/${namespace}/serviceweights`, {
    apiVersion: 'parley.dev/v1alpha1',
    kind: 'ServiceWeight',
    metadata: { name: 'chat' },
    spec: { service: 'chat', backends: [{ service: 'stable' }] },
  });
  await ready('adopted');
  const weights = `/apis/parley.dev/v1alpha1/namespaces/${namespace}/serviceweights/chat`;
  await until('a status', async () => (await cluster.api.request('GET', weights)).body.status?.summary === 'stable=1');
  const events = `/apis/events.k8s.io/v1/namespaces/${namespace}/events`;
  await until('Events', async () => (await cluster.api.request('GET', events)).body.items.length >= 3);
  chat.edit(`${namespace}.adopted`, { topic: 'changed' });
  await until('put right', () => chat.rooms.get(`${namespace}.adopted`)?.spec?.topic === '');
  await cluster.api.request('DELETE', `${path}/adopted`);
  await gone('adopted');
  const refused = (await asked()).filter(
    ({ userAgent, responseStatus }) => userAgent === `operator-${namespace}` && responseStatus?.code === 403,
  );
  expect(refused.map(({ verb, requestURI }) => `${verb} ${requestURI}`)).toEqual([]);
});

test('a chat service that does not know the token is said to be that, of rooms old and new', async () => {
  using channel = new RpcChannel({ address: `127.0.0.1:${chat.port}`, token: () => 'not a token' });
  start('stranger', { admin: channel.client('chat.RoomAdminService'), awayAfterMs: 500 });
  const refused = (name: string) =>
    until(`${name} is NotAllowed`, async () => {
      const room = await get(name);
      return findCondition(room.status?.conditions, 'Ready')?.reason === 'NotAllowed' && room;
    });
  await create('old');
  await refused('old');
  await create('new');
  await refused('new');
});

test('of two replicas one leads; when it stops the other goes on within seconds', async () => {
  const first = start('first');
  await until('it leads', () => first.operator.term);
  const metrics = createMetrics();
  const second = start('second', { metrics });
  await until('it watches', () => second.operator.hasSynced);
  expect(second.operator.term).toBeUndefined();
  await create('before');
  await ready('before');
  await until('it has seen the room', () => second.operator.rooms.store.size === 1);
  // Nothing waits for one that stands by.
  expect(await metrics.registry.metrics()).not.toMatch(/^workqueue_(depth|adds_total)\{.*\} [1-9]/m);
  first.stop.abort();
  await first.done;
  await create('after');
  await ready('after');
  expect(second.operator.term).toBeDefined();
});

test('a namespace that is deleted is let go, though chat is away', async () => {
  start('only');
  await create('doomed', { deletionPolicy: 'Delete' });
  await ready('doomed');
  await chat.stop();
  try {
    await cluster.api.request('DELETE', `/api/v1/namespaces/${namespace}`);
    await cluster.api.request('DELETE', `${path}/doomed`);
    await gone('doomed');
  } finally {
    await chat.start();
  }
});

test('an uninstall lets go of every room, and no operator takes one again', async () => {
  await allow('releaser', releaseRules);
  const { operator } = start('only');
  for (const name of ['one', 'two']) await create(name, { deletionPolicy: 'Delete' });
  for (const name of ['one', 'two']) await ready(name);
  const client = cluster.client({ user: 'releaser' });
  const options = { client, namespace, watchNamespace: namespace, identity: 'release', noticeMs: 500, log: silentLog };
  const released = await releaseFinalizers(options, new AbortController().signal);
  expect(released).toBe(2);
  await until('it leads no more', () => operator.term === undefined);
  for (const name of ['one', 'two']) {
    expect((await get(name)).metadata.finalizers ?? []).not.toContain(ROOM_FINALIZER);
    await cluster.api.request('DELETE', `${path}/${name}`);
    await gone(name);
  }
  expect(chat.erased).not.toContain(`${namespace}.one`);
});

test('ten names that nobody has and ten rooms are few lookups, not a hundred', async () => {
  const before = chat.calls.lookupUsers;
  const members = Array.from({ length: 10 }, (_, i) => `stranger-${i}`);
  for (let i = 0; i < 10; i++) await create(`batch-${i}`, { members });
  start('only');
  for (let i = 0; i < 10; i++) await ready(`batch-${i}`);
  expect(chat.calls.lookupUsers - before).toBeLessThan(10);
});

test('a schema newer than the operator: what it does not know it says, and leaves alone', async () => {
  const crd = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/chatrooms.parley.dev';
  const { body } = await cluster.api.request('GET', crd);
  const spec = body.spec.versions[0].schema.openAPIV3Schema.properties.spec;
  spec.properties.slowMode = { type: 'boolean' };
  spec.properties.visibility.enum.push('by-invitation');
  expect((await cluster.api.request('PUT', crd, { body })).status).toBe(200);
  start('old');
  await until('the new schema', async () => {
    await cluster.api.request('DELETE', `${path}/newer`);
    const made = await cluster.api.request('POST', path, {
      body: {
        apiVersion: 'parley.dev/v1alpha1',
        kind: 'ChatRoom',
        metadata: { name: 'newer' },
        spec: { roomId: `${namespace}.newer`, displayName: 'x', slowMode: true },
      },
    });
    return made.status === 201 && made.body.spec.slowMode === true;
  });
  await ready('newer');
  const room = await get('newer');
  expect(room.spec).toMatchObject({ slowMode: true });
  expect(findCondition(room.status?.conditions, 'Ready')?.message).toBe('this operator does not know spec.slowMode');
  await create('newest', { visibility: 'by-invitation' });
  await until('refused', async () => {
    const found = findCondition((await get('newest')).status?.conditions, 'Ready');
    return found?.reason === 'InvalidSpec' && found.message.includes('one of public, private');
  });
});

test('of its Role it needs every verb', async () => {
  start('only');
  await create('again');
  await ready('again');
  // The same Event twice is an update of the first.
  for (let i = 0; i < 2; i++) {
    for (const displayName of ['refuse me', 'again']) {
      const contentType = 'application/merge-patch+json';
      await cluster.api.request('PATCH', `${path}/again`, { body: { spec: { displayName } }, contentType });
      await until(displayName, async () => {
        const found = findCondition((await get('again')).status?.conditions, 'Ready');
        return found?.reason === (displayName === 'again' ? 'Applied' : 'Rejected');
      });
    }
  }
  const allowed = [...watchRules, ...leaderRules].flatMap(({ apiGroups, resources, verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) => verbs.map((verb) => `${verb} ${resource}${group && `.${group}`}`)),
    ),
  );
  await until('every verb', async () => {
    const used = new Set(
      (await asked()).map(
        ({ verb, objectRef: { apiGroup = '', resource = '', subresource = '' } = { resource: '' } }) =>
          [verb, `${resource}${subresource && `/${subresource}`}${apiGroup && `.${apiGroup}`}`].join(' '),
      ),
    );
    const idle = allowed.filter((each) => !used.has(each));
    if (idle.length > 0) throw new Error(`not used: ${idle.join(', ')}`);
    return true;
  });
});
