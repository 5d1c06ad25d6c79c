import { readdir } from 'node:fs/promises';
import type { ApiServer } from '@parley/apiserver';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { crds } from './index.ts';

let cluster: Cluster;
let api: ApiServer;
beforeAll(async () => {
  cluster = await startCluster();
  api = cluster.api;
}, 90_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

const rooms = '/apis/parley.dev/v1alpha1/namespaces/default/chatrooms';
const weights = '/apis/parley.dev/v1alpha1/namespaces/default/serviceweights';
const room = (spec: object, name = 'general') => ({
  apiVersion: 'parley.dev/v1alpha1',
  kind: 'ChatRoom',
  metadata: { name },
  spec: { displayName: 'General', ...spec },
});
const weight = (spec: object, name = 'chat') => ({
  apiVersion: 'parley.dev/v1alpha1',
  kind: 'ServiceWeight',
  metadata: { name },
  spec: { service: 'chat', backends: [{ service: 'stable', weight: 9 }, { service: 'canary' }], ...spec },
});
const dryRun = async (path: string, body: object) => {
  const answer = await api.request('POST', `${path}?dryRun=All&fieldValidation=Strict`, { body });
  return { status: answer.status, message: String(answer.body.message ?? ''), body: answer.body };
};
const steps = [{ weight: 10, pause: '60s' }, { weight: 100 }];

test('what the design shows is taken, with its defaults filled in', async () => {
  const made = await dryRun(rooms, room({ rateLimit: { messagesPerMinute: 60 }, members: ['alice', 'bob'] }));
  expect(made.status).toBe(201);
  expect(made.body.spec).toMatchObject({
    visibility: 'public',
    archived: false,
    deletionPolicy: 'Retain',
    retention: { maxMessages: 1000 },
    rateLimit: { burst: 10 },
  });
  const weighted = await dryRun(weights, weight({ slowStart: '30s', rollout: { backend: 'canary', steps } }));
  expect(weighted.status).toBe(201);
  expect(weighted.body.spec).toMatchObject({ port: 'grpc', backends: [{ weight: 9 }, { weight: 1 }] });
});

test('every sample is taken', async () => {
  const samples = new URL('../../../k8s/samples/', import.meta.url).pathname;
  const files = (await readdir(samples)).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) {
    const applied = await api.kubectl(['apply', '--server-side', '--dry-run=server', '-f', `${samples}${file}`]);
    expect(applied, file).toContain('serverside-applied');
  }
});

test('kubectl knows the short names, and explains every field', async () => {
  await api.request('POST', rooms, { body: room({}, 'shown') });
  for (const name of ['room', 'rooms', 'chatroom', 'chatrooms', 'parley']) {
    expect(await api.kubectl(['get', name, '-A'])).toContain('shown');
  }
  expect(await api.kubectl(['get', 'room', 'shown'])).toMatch(/ROOM +VISIBILITY +MEMBERS +MESSAGES +READY/);
  const [explained, weighted] = await Promise.all([
    api.kubectl(['explain', 'chatroom', '--recursive=false']),
    api.kubectl(['explain', 'sw.spec.rollout']),
  ]);
  expect(explained).toContain('A chat room and its rules');
  expect(weighted).toContain('a changed spec starts it anew');
});

test('every field has a description', () => {
  const bare: string[] = [];
  const walk = (schema: Record<string, unknown>, path: string) => {
    if (!schema['description'] && !path.endsWith('metadata')) bare.push(path);
    for (const [name, field] of Object.entries((schema['properties'] ?? {}) as object)) walk(field, `${path}.${name}`);
    const items = schema['items'] as { properties?: object } | undefined;
    for (const [name, field] of Object.entries(items?.properties ?? {})) walk(field, `${path}[].${name}`);
  };
  for (const crd of crds) walk(crd.spec.versions[0]!.schema.openAPIV3Schema as never, crd.spec.names.kind);
  expect(bare).toEqual([]);
});
