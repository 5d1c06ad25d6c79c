import type { ApiServer } from '@parley/apiserver';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
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

describe('a ChatRoom out of range is refused with the name of the field:', () => {
  test.each<[string, object]>([
    ['spec.displayName', { displayName: undefined }],
    ['spec.displayName', { displayName: '' }],
    ['spec.displayName', { displayName: '   ' }],
    ['spec.displayName', { displayName: 'x'.repeat(81) }],
    ['spec.roomId', { roomId: '' }],
    ['spec.roomId', { roomId: '-a' }],
    ['spec.roomId', { roomId: 'a/b' }],
    ['spec.roomId', { roomId: 'x'.repeat(129) }],
    ['spec.topic', { topic: 'x'.repeat(501) }],
    ['spec.visibility', { visibility: 'secret' }],
    ['spec.members', { members: ['alice', 'alice'] }],
    ['spec.members[0]', { members: [''] }],
    ['spec.members[0]', { members: ['al ice'] }],
    ['spec.members', { members: Array.from({ length: 1001 }, (_, i) => `u${i}`) }],
    ['spec.moderators[0]', { moderators: ['x'.repeat(65)] }],
    ['spec.moderators', { moderators: Array.from({ length: 101 }, (_, i) => `u${i}`) }],
    ['spec.maxMembers', { maxMembers: 0 }],
    ['spec.maxMembers', { maxMembers: 100_001 }],
    ['spec.maxMembers', { maxMembers: 'many' }],
    ['spec.maxMembers', { maxMembers: 1.5 }],
    ['spec.retention.maxMessages', { retention: { maxMessages: 0 } }],
    ['spec.retention.maxMessages', { retention: { maxMessages: 100_001 } }],
    ['spec.retention.maxAge', { retention: { maxAge: '3 days' } }],
    ['spec.retention.maxAge', { retention: { maxAge: '59s' } }],
    ['spec.retention.maxAge', { retention: { maxAge: '87601h' } }],
    ['spec.historyOnJoin', { historyOnJoin: -1 }],
    ['spec.historyOnJoin', { historyOnJoin: 1001 }],
    ['spec.historyOnJoin', { historyOnJoin: 30, retention: { maxMessages: 20 } }],
    ['spec.rateLimit.messagesPerMinute', { rateLimit: { burst: 5 } }],
    ['spec.rateLimit.messagesPerMinute', { rateLimit: { messagesPerMinute: 0 } }],
    ['spec.rateLimit.messagesPerMinute', { rateLimit: { messagesPerMinute: 60_001 } }],
    ['spec.rateLimit.burst', { rateLimit: { messagesPerMinute: 60, burst: 0 } }],
    ['spec.rateLimit.burst', { rateLimit: { messagesPerMinute: 60, burst: 1001 } }],
    ['spec.welcomeMessage', { welcomeMessage: 'x'.repeat(2001) }],
    ['spec.archived', { archived: 'yes' }],
    ['spec.deletionPolicy', { deletionPolicy: 'Orphan' }],
    ['spec.color', { color: 'red' }],
  ])('%s %#', async (field, spec) => {
    const { status, message } = await dryRun(rooms, room(spec));
    expect([400, 422]).toContain(status);
    expect(message).toContain(field);
  });

  test('spec.roomId where the name is no room id', async () => {
    const { status, message } = await dryRun(rooms, room({}, 'x'.repeat(200)));
    expect(status).toBe(422);
    expect(message).toContain('spec.roomId');
  });
});

describe('a ServiceWeight out of range is refused with the name of the field:', () => {
  const two = (w: unknown) => [
    { service: 'stable', weight: w },
    { service: 'canary', weight: 1 },
  ];
  test.each<[string, object]>([
    ['spec.service', { service: 'other' }],
    ['spec.service', { service: undefined }],
    ['spec.port', { port: 'Grpc' }],
    ['spec.port', { port: 50051 }],
    ['spec.backends', { backends: [] }],
    ['spec.backends', { backends: undefined }],
    ['spec.backends', { backends: Array.from({ length: 17 }, (_, i) => ({ service: `b${i}` })) }],
    ['spec.backends', { backends: [{ service: 'stable', weight: 0 }] }],
    ['spec.backends[1]', { backends: [{ service: 'stable' }, { service: 'stable' }] }],
    ['spec.backends[0].service', { backends: [{ service: 'Bad_Name' }] }],
    ['spec.backends[0].weight', { backends: two(-1) }],
    ['spec.backends[0].weight', { backends: two(1_000_001) }],
    ['spec.backends[0].weight', { backends: two('half') }],
    ['spec.slowStart', { slowStart: 'soon' }],
    ['spec.slowStart', { slowStart: '16m' }],
    ['spec.rollout.backend', { rollout: { backend: 'nobody', steps } }],
    ['spec.rollout.backend', { rollout: { steps } }],
    ['spec.rollout.backend', { backends: [{ service: 'canary' }], rollout: { backend: 'canary', steps } }],
    ['spec.rollout.steps', { rollout: { backend: 'canary', steps: [] } }],
    ['spec.rollout.steps', { rollout: { backend: 'canary' } }],
    [
      'spec.rollout.steps',
      { rollout: { backend: 'canary', steps: Array.from({ length: 33 }, () => ({ weight: 1 })) } },
    ],
    ['spec.rollout.steps[0].weight', { rollout: { backend: 'canary', steps: [{ pause: '1s' }] } }],
    ['spec.rollout.steps[0].weight', { rollout: { backend: 'canary', steps: [{ weight: 101 }] } }],
    ['spec.rollout.steps[0].weight', { rollout: { backend: 'canary', steps: [{ weight: -1 }] } }],
    ['spec.rollout.steps[0].pause', { rollout: { backend: 'canary', steps: [{ weight: 1, pause: '169h' }] } }],
  ])('%s %#', async (field, spec) => {
    const { status, message } = await dryRun(weights, weight(spec));
    expect([400, 422]).toContain(status);
    expect(message).toContain(field);
  });
});

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

test('spec.roomId cannot be changed, but may be spelled out', async () => {
  await api.request('POST', rooms, { body: room({}, 'fixed') });
  const merge = (spec: object) =>
    api.request('PATCH', `${rooms}/fixed`, { body: { spec }, contentType: 'application/merge-patch+json' });
  const refused = await merge({ roomId: 'another' });
  expect(refused.status).toBe(422);
  expect(refused.body.message).toContain('spec.roomId');
  expect(refused.body.message).toContain('immutable');
  expect((await merge({ roomId: 'fixed' })).status).toBe(200);
  expect((await merge({ roomId: null })).status).toBe(200);
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
