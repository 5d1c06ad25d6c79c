import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { program } from '@parley/kit/testing/program';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import type { ChatRoom } from './api/index.ts';
import { findCondition } from './runtime/index.ts';
import { ChatServer } from './testing/chat-server.ts';
import { type Cluster, startCluster } from './testing/cluster.ts';
import { until } from './testing/until.ts';

// `parley operator` as its pods run it, with the times that it has by default. Each process is a user of its own, so that
// the API server's audit log says who wrote.
const parley = program(new URL('../../services/platform/src/main.ts', import.meta.url));
const names = ['one', 'two', 'three'] as const;
type Name = (typeof names)[number];

let cluster: Cluster;
let chat: ChatServer;
let folder: string;
let namespace: string;
let path: string;
let children: ChildProcess[];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-takeover-'));
  cluster = await startCluster();
  for (const name of names) await writeFile(join(folder, name), cluster.kubeConfig(name).exportConfig());
  chat = await ChatServer.listen();
}, 90_000);
afterAll(async () => {
  await chat?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(async () => {
  children = [];
  namespace = `test-${crypto.randomUUID().slice(0, 8)}`;
  path = `/apis/parley.dev/v1alpha1/namespaces/${namespace}/chatrooms`;
  const made = await cluster.api.request('POST', '/api/v1/namespaces', { body: { metadata: { name: namespace } } });
  expect(made.status).toBe(201);
});
afterEach(async () => {
  const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null);
  const exits = running.map((child) => once(child, 'exit'));
  for (const child of running) child.kill('SIGKILL');
  await Promise.all(exits);
});

/** Starts an operator, and waits until it watches: from then on it leads or stands by. */
async function start(name: Name): Promise<ChildProcess> {
  const child = spawn(process.execPath, [parley, 'operator'], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      KUBECONFIG: join(folder, name),
      PARLEY_NAMESPACE: namespace,
      PARLEY_POD_NAME: name,
      PARLEY_CHAT_ADDRESS: `127.0.0.1:${chat.port}`,
      PARLEY_USER_ADDRESS: `127.0.0.1:${chat.port}`,
      PARLEY_JWT_KEYS: chat.keys,
      PARLEY_METRICS_PORT: '0',
    },
  });
  children.push(child);
  let log = '';
  child.stdout!.on('data', (chunk) => {
    log += chunk;
  });
  const resources = ['chatrooms', 'serviceweights', 'services', 'endpointslices'];
  const listed = (resource: string) => new RegExp(`"resource":"${resource}".*resource.listed`).test(log);
  await until(`${name} watches`, () => resources.every(listed), 60_000);
  return child;
}

const leads = (name: Name, withinMs: number) =>
  until(
    `${name} leads`,
    async () => {
      const lease = `/apis/coordination.k8s.io/v1/namespaces/${namespace}/leases/parley-operator`;
      return (await cluster.api.request('GET', lease)).body.spec?.holderIdentity?.startsWith(`${name}_`);
    },
    withinMs,
  );
const create = async (name: string) => {
  const spec = { roomId: `${namespace}.${name}`, displayName: name };
  const body = { apiVersion: 'parley.dev/v1alpha1', kind: 'ChatRoom', metadata: { name }, spec };
  expect((await cluster.api.request('POST', path, { body })).status).toBe(201);
};
const readyRooms = async (): Promise<number> => {
  const items = (await cluster.api.request('GET', path)).body.items as ChatRoom[];
  return items.filter(({ status }) => findCondition(status?.conditions, 'Ready')?.status === 'True').length;
};
/** What a process has written into the API server, in order. */
const writesOf = async (name: Name): Promise<string[]> => {
  return (await cluster.asked())
    .filter(({ user, objectRef }) => user.username === name && objectRef?.namespace === namespace)
    .filter(({ verb, responseStatus }) => !['get', 'list', 'watch'].includes(verb) && responseStatus!.code < 300)
    .map(({ verb, objectRef }) => `${verb} ${objectRef!.resource}`);
};

test('a leader that gets SIGTERM is followed within 3 s, one that gets SIGKILL within 20 s', async () => {
  const one = await start('one');
  await leads('one', 60_000);
  const two = await start('two');
  const exit = once(one, 'exit');
  one.kill('SIGTERM');
  await leads('two', 3_000);
  expect(await exit).toEqual([0, null]);
  await create('first');
  await until('the room is Ready', async () => (await readyRooms()) === 1);

  await start('three');
  two.kill('SIGKILL');
  await leads('three', 20_000);
  await create('second');
  await until('both rooms are Ready', async () => (await readyRooms()) === 2);
}, 180_000);

test('a leader that is stopped amid its work and resumed writes nothing until it leads again', async () => {
  const rooms = 80;
  const one = await start('one');
  await leads('one', 60_000);
  const two = await start('two');
  const begun = chat.fences.length;
  const created = Promise.all(Array.from({ length: rooms }, (_, i) => create(`room-${i}`)));
  await until('it is at work', () => chat.fences.length > begun + 10);
  one.kill('SIGSTOP');
  await created;
  const done = await readyRooms();
  expect(done).toBeLessThan(rooms);
  await leads('two', 20_000);
  const fencesBefore = chat.fences.length;
  await until('every room is Ready', async () => (await readyRooms()) === rooms, 60_000);
  const before = await writesOf('one');
  expect(before.length).toBeGreaterThan(done);

  one.kill('SIGCONT');
  // That it runs again is seen when it leads again: in between, the other had work to do, and it wrote nothing.
  const change = { spec: { topic: 'changed' } };
  for (let i = 0; i < rooms; i++) {
    const options = { body: change, contentType: 'application/merge-patch+json' };
    await cluster.api.request('PATCH', `${path}/room-${i}`, options);
  }
  await until('every change is applied', () => topics(rooms) === rooms, 60_000);
  two.kill('SIGKILL');
  await leads('one', 20_000);
  const after = (await writesOf('one')).slice(before.length);
  expect(after[0]).toBe('update leases');
  await create('last');
  await until('it works again', async () => (await readyRooms()) === rooms + 1);

  // Three terms, each with a higher fence than the one before; none of an earlier term came after one of a later.
  const fences = chat.fences.slice(fencesBefore);
  expect(fences).toEqual([...fences].sort((a, b) => a - b));
  expect(new Set(fences).size).toBe(2);
}, 240_000);

const topics = (rooms: number) =>
  Array.from({ length: rooms }, (_, i) => chat.rooms.get(`${namespace}.room-${i}`)?.spec?.topic).filter(
    (topic) => topic === 'changed',
  ).length;
