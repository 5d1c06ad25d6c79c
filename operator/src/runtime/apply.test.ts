import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { CHAT_ROOMS, type ChatRoom } from '../api/index.ts';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { apply } from './apply.ts';
import type { ApiClient } from './client.ts';
import { setConditions } from './conditions.ts';
import { EventRecorder } from './events.ts';
import { setFinalizer } from './finalizer.ts';

let cluster: Cluster;
let client: ApiClient;
sharedFixture(async (stack) => {
  cluster = stack.use(await startCluster());
  client = cluster.client();
});

const options = { fieldOwner: 'test' };
const create = (name: string) =>
  apply<ChatRoom>(
    client,
    CHAT_ROOMS,
    { metadata: { name, namespace: 'default' }, spec: { displayName: name } },
    options,
  );
const at = ({ metadata: { name, namespace, resourceVersion } }: ChatRoom) => ({ name, namespace, resourceVersion });

test('a status is applied field by field, and what is no longer wanted goes', async () => {
  const room = await create('status');
  const finding = { type: 'Ready', status: 'True', reason: 'Applied', message: '', observedGeneration: 1 } as const;
  const conditions = setConditions(undefined, [finding], new Date());
  const first = { metadata: at(room), status: { members: 3, conditions } };
  const applied = await apply<ChatRoom>(client, CHAT_ROOMS, first, { ...options, subresource: 'status' });
  expect(applied.status).toEqual({ members: 3, conditions });
  const second = { metadata: at(applied), status: { messages: 5, conditions } };
  const again = await apply<ChatRoom>(client, CHAT_ROOMS, second, { ...options, subresource: 'status' });
  expect(again.status).toEqual({ messages: 5, conditions });
  expect(again.spec.displayName).toBe('status');
});

test('what was decided from an older version is a conflict', async () => {
  const room = await create('conflict');
  const write = (members: number) =>
    apply(client, CHAT_ROOMS, { metadata: at(room), status: { members } }, { ...options, subresource: 'status' });
  await write(1);
  await expect(write(2)).rejects.toMatchObject({ code: 409, reason: 'Conflict' });
});

test('a finalizer is added and removed beside those of others', async () => {
  const room = await create('finalized');
  const added = await setFinalizer(client, CHAT_ROOMS, room, 'parley.dev/room', true);
  const both = await setFinalizer(client, CHAT_ROOMS, added, 'example.com/other', true);
  expect(both.metadata.finalizers).toEqual(['parley.dev/room', 'example.com/other']);
  const removed = await setFinalizer(client, CHAT_ROOMS, both, 'parley.dev/room', false);
  expect(removed.metadata.finalizers).toEqual(['example.com/other']);
  await expect(setFinalizer(client, CHAT_ROOMS, room, 'x.dev/y', true)).rejects.toMatchObject({ code: 409 });
  await setFinalizer(client, CHAT_ROOMS, removed, 'example.com/other', false);
});

test('the same Event again is a count on the first', async () => {
  const room = await create('eventful');
  const events = new EventRecorder({ client, controller: 'parley.dev/operator', instance: 'test' });
  const text = { type: 'Normal', reason: 'Applied', action: 'Apply', note: 'the room is there' } as const;
  for (let i = 0; i < 10; i++) events.record(CHAT_ROOMS, room, text);
  events.record(CHAT_ROOMS, room, { ...text, note: 'another note' });
  await events.flush();
  const { body } = await cluster.api.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
  const notes = body.items.filter((item: { regarding: { uid: string } }) => item.regarding.uid === room.metadata.uid);
  expect(notes.map((item: { note: string }) => item.note).sort()).toEqual(['another note', 'the room is there']);
  expect(notes.find((item: { note: string }) => item.note === text.note).series.count).toBe(10);
  expect(await cluster.api.kubectl(['events', '--for', 'chatroom/eventful'])).toContain('the room is there');
});

test('an object is told of at most 25 times at once', async () => {
  const room = await create('chatty');
  const events = new EventRecorder({ client, controller: 'parley.dev/operator', instance: 'test' });
  for (let i = 0; i < 100; i++) {
    events.record(CHAT_ROOMS, room, { type: 'Normal', reason: 'Step', action: 'Step', note: `step ${i}` });
  }
  await events.flush();
  const { body } = await cluster.api.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
  const of = body.items.filter((item: { regarding: { uid: string } }) => item.regarding.uid === room.metadata.uid);
  expect(of).toHaveLength(25);
});

test('who may not is told which verb on what is missing', async () => {
  const nobody = cluster.client({ user: 'nobody' });
  const call = { method: 'GET', path: '/apis/parley.dev/v1alpha1/namespaces/default/chatrooms' } as const;
  await expect(nobody.request(call)).rejects.toThrow(/cannot list resource "chatrooms" in API group "parley.dev"/);
});
