import { silentLog } from '@parley/kit';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  chatRoomDefinition,
  chatRoomSpec,
  type Definition,
  type Schema,
  serviceWeightDefinition,
  serviceWeightSpec,
  validate,
} from './api/index.ts';
import { REASONS as ROOM_REASONS } from './chat-room/index.ts';
import { Operator } from './operator.ts';
import { createMetrics, findCondition, type KubeObject } from './runtime/index.ts';
import { REASONS as WEIGHT_REASONS } from './service-weight/index.ts';
import { ChatServer } from './testing/chat-server.ts';
import { type Cluster, startCluster } from './testing/cluster.ts';
import { until } from './testing/until.ts';

// Definitions that allow everything, as one that somebody loosened by hand: what is refused then is the operator's to say.

const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
const pathOf = ({ resource }: Definition) => `/apis/parley.dev/v1alpha1/namespaces/default/${resource.plural}`;

let cluster: Cluster;
let chat: ChatServer;
beforeAll(async () => {
  cluster = await startCluster();
  chat = await ChatServer.listen();
  for (const definition of [chatRoomDefinition, serviceWeightDefinition]) await loosen(definition);
}, 90_000);
afterAll(async () => {
  await chat?.[Symbol.asyncDispose]();
  await cluster?.[Symbol.asyncDispose]();
});

/** Allows anything at all in the spec. */
async function loosen(definition: Definition): Promise<void> {
  const at = `${crds}/${definition.resource.plural}.parley.dev`;
  const { body } = await cluster.api.request('GET', at);
  const { openAPIV3Schema } = body.spec.versions[0].schema;
  delete openAPIV3Schema['x-kubernetes-validations'];
  openAPIV3Schema.required = [];
  openAPIV3Schema.properties.spec = { 'x-kubernetes-preserve-unknown-fields': true };
  const answer = await cluster.api.request('PUT', at, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  await until('it allows anything', async () => {
    const made = await create(definition, 'probe', { displayName: 7, service: 7 });
    await cluster.api.request('DELETE', `${pathOf(definition)}/probe`);
    return made === 201;
  });
}

async function create(definition: Definition, name: string, spec: unknown): Promise<number> {
  const body = { apiVersion: 'parley.dev/v1alpha1', kind: definition.resource.kind, metadata: { name }, spec };
  return (await cluster.api.request('POST', pathOf(definition), { body })).status;
}

/** Specs with any value in any field, and any value at all. */
function anything(schema: Schema): unknown[] {
  const value = fc.jsonValue({ maxDepth: 3 });
  const fields = Object.fromEntries(Object.keys(schema.properties!).map((field) => [field, value]));
  const spec = fc.oneof({ weight: 9, arbitrary: fc.record(fields, { requiredKeys: [] }) }, value);
  return fc.sample(spec, 100);
}

interface WithStatus extends KubeObject {
  spec: unknown;
  status?: { conditions?: never[] };
}

test('whatever is in a spec, the operator says what is wrong with it, and goes on', async () => {
  const kinds = [
    { definition: chatRoomDefinition, schema: chatRoomSpec, reasons: ROOM_REASONS.Ready.False },
    { definition: serviceWeightDefinition, schema: serviceWeightSpec, reasons: WEIGHT_REASONS.Ready.False },
  ];
  for (const { definition, schema } of kinds) {
    for (const [i, spec] of anything(schema).entries()) await create(definition, `any-${i}`, spec);
  }
  const stop = new AbortController();
  const operator = new Operator({
    client: cluster.client(),
    admin: chat.channel.client('chat.RoomAdminService'),
    users: chat.channel.client('auth.AuthService'),
    namespace: 'default',
    watchNamespace: 'default',
    identity: 'only',
    retry: { baseMs: 20, maxMs: 500, perSecond: 1_000, burst: 1_000 },
    log: silentLog,
    metrics: createMetrics(),
  });
  const running = operator.run(stop.signal);
  try {
    for (const { definition, schema, reasons } of kinds) {
      const { items } = (await cluster.api.request('GET', pathOf(definition))).body as { items: WithStatus[] };
      expect(items.length).toBeGreaterThan(90);
      for (const { metadata, spec } of items) {
        const wrong = validate(schema, spec, 'spec').problems.length > 0;
        const ready = await until(`${definition.resource.kind} ${metadata.name} ${JSON.stringify(spec)}`, async () => {
          const { body } = await cluster.api.request('GET', `${pathOf(definition)}/${metadata.name}`);
          return findCondition((body as WithStatus).status?.conditions, 'Ready');
        });
        if (wrong) expect(ready).toMatchObject({ status: 'False', reason: 'InvalidSpec' });
        if (ready.status === 'False') expect(Object.keys(reasons)).toContain(ready.reason);
      }
    }
    await create(chatRoomDefinition, 'sound', { displayName: 'Sound' });
    await until('a sound one is made', () => chat.rooms.has('sound'));
  } finally {
    stop.abort();
    await running;
  }
}, 120_000);
