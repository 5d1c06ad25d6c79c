import { pgliteStore } from '@parley/chat/testing/logs';
import { Rig } from '@parley/chat/testing/rig';
import { RpcChannel, type RpcClient, serviceTokens, silentLog } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import type { ChatRoom } from './api/index.ts';
import { Operator } from './operator.ts';
import { createMetrics, findCondition } from './runtime/index.ts';
import { ChatServer } from './testing/chat-server.ts';
import { type Cluster, startCluster } from './testing/cluster.ts';
import { until } from './testing/until.ts';

const path = '/apis/parley.dev/v1alpha1/namespaces/default/chatrooms';

let cluster: Cluster;
let admin: RpcClient<'chat.RoomAdminService'>;
let calls: { applied: number };

sharedFixture(async (stack) => {
  cluster = stack.use(await startCluster());
  const store = stack.use(await pgliteStore());
  const rig = stack.use(await Rig.start());
  const pod = stack.use(await rig.pod(await store.log(), 'chat-0', { authMode: 'required', roomsMode: 'declared' }));
  const token = serviceTokens(rig.keys, 'operator');
  const channel = stack.use(new RpcChannel({ address: `127.0.0.1:${pod.port}`, token }));
  // Users are looked up in the stand-in: who they are is the user service's own matter.
  const directory = stack.use(await ChatServer.listen());
  directory.users.set('alice', '1').set('bob', '2');
  admin = channel.client('chat.RoomAdminService');
  calls = { applied: 0 };
  const counting: typeof admin = {
    ...admin,
    applyRoom(request, settings) {
      calls.applied += 1;
      return admin.applyRoom(request, settings);
    },
  };
  const operator = new Operator({
    client: cluster.client(),
    admin: counting,
    users: directory.channel.client('auth.AuthService'),
    namespace: 'default',
    watchNamespace: 'default',
    identity: 'only',
    log: silentLog,
    metrics: createMetrics(),
  });
  const stop = new AbortController();
  const running = operator.run(stop.signal);
  stack.defer(() => {
    stop.abort();
    return running;
  });
});

const get = async (name: string): Promise<ChatRoom> => (await cluster.api.request('GET', `${path}/${name}`)).body;
const create = async (name: string, spec: object = {}) => {
  const body = {
    apiVersion: 'parley.dev/v1alpha1',
    kind: 'ChatRoom',
    metadata: { name },
    spec: { displayName: name, ...spec },
  };
  expect((await cluster.api.request('POST', path, { body })).status).toBe(201);
};
const ready = (name: string) =>
  until(`${name} is Ready`, async () => {
    const room = await get(name);
    return findCondition(room.status?.conditions, 'Ready')?.status === 'True' ? room : undefined;
  });

test('every field that a ChatRoom has arrives in the chat service', async () => {
  await create('full', {
    topic: 'Anything goes',
    visibility: 'private',
    members: ['alice', 'bob'],
    moderators: ['alice'],
    maxMembers: 100_000,
    retention: { maxMessages: 100_000, maxAge: '87600h' },
    historyOnJoin: 0,
    rateLimit: { messagesPerMinute: 60_000, burst: 1_000 },
    welcomeMessage: 'Welcome',
    archived: true,
  });
  await ready('full');
  const room = await admin.getRoom({ room_id: 'full' });
  expect(room.spec).toMatchObject({
    display_name: 'full',
    topic: 'Anything goes',
    private: true,
    member_ids: ['1', '2'],
    moderator_ids: ['1'],
    max_members: 100_000,
    max_messages: 100_000,
    max_age_seconds: '315360000',
    history_on_join: 0,
    messages_per_minute: 60_000,
    burst: 1_000,
    welcome_message: 'Welcome',
    archived: true,
  });
  expect(room.digest).toBe((await get('full')).status?.digest);
});

test('a room that was applied is not applied again, and one that was changed is put right', async () => {
  await create('steady');
  const { metadata } = await ready('steady');
  const room = await admin.getRoom({ room_id: 'steady' });
  const owner = room.owner!;
  await admin.applyRoom({ room_id: 'steady', spec: { ...room.spec, topic: 'changed' }, owner, fence: '1000000' });
  await until('put right', async () => (await admin.getRoom({ room_id: 'steady' })).spec?.topic === '');
  await until(
    'said',
    async () => findCondition((await get('steady')).status?.conditions, 'Drifted')?.status === 'True',
  );
  expect(owner).toMatchObject({ namespace: 'default', name: 'steady', uid: metadata.uid });
  const applied = calls.applied;
  await create('another');
  await ready('another');
  expect(calls.applied - applied).toBe(1);
});

test('a deletion takes the room away', async () => {
  await create('goes', { deletionPolicy: 'Delete' });
  await ready('goes');
  await cluster.api.request('DELETE', `${path}/goes`);
  await until('gone', async () => (await cluster.api.request('GET', `${path}/goes`)).status === 404);
  await expect(admin.getRoom({ room_id: 'goes' })).rejects.toMatchObject({ code: 'NOT_FOUND' });
});
