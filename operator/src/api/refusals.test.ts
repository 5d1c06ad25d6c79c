import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { chatRoomRefusals, type Refusals, serviceWeightRefusals, type Wrong } from '../testing/refusals.ts';
import { chatRoomDefinition, type Definition, type Schema, serviceWeightDefinition } from './index.ts';

const kinds: { definition: Definition; refusals: Refusals; name: string; spec: object }[] = [
  { definition: chatRoomDefinition, refusals: chatRoomRefusals, name: 'general', spec: { displayName: 'General' } },
  {
    definition: serviceWeightDefinition,
    refusals: serviceWeightRefusals,
    name: 'chat',
    spec: { service: 'chat', backends: [{ service: 'stable', weight: 9 }, { service: 'canary' }] },
  },
];
/** What the API server has said, all of it. */
const said: string[] = [];

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
}, 90_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

async function refused(method: string, path: string, body: object, contentType = 'application/json'): Promise<string> {
  const answer = await cluster.api.request(method, path, { body, contentType });
  expect([400, 422], JSON.stringify(answer.body)).toContain(answer.status);
  said.push(answer.body.message);
  return answer.body.message;
}
const create = ({ definition: { resource } }: (typeof kinds)[number], name: string, spec: unknown) =>
  refused('POST', `/apis/parley.dev/v1alpha1/namespaces/default/${resource.plural}?dryRun=All&fieldValidation=Strict`, {
    apiVersion: 'parley.dev/v1alpha1',
    kind: resource.kind,
    metadata: { name },
    spec,
  });

/** Every field of a schema, with the ways in which its value can be wrong. */
function fields(schema: Schema, path: string, required = true): [string, Wrong[]][] {
  const rules = schema['x-kubernetes-validations'] ?? [];
  const between = schema.type === 'string' && rules.length > 0;
  const { minimum, minLength, minItems, maximum, maxLength, maxItems } = schema;
  const list = schema['x-kubernetes-list-type'];
  const ways: [Wrong, boolean][] = [
    ['missing', required],
    ['type', true],
    ['fraction', schema.type === 'integer'],
    ['below', between || (minimum ?? minLength ?? minItems) !== undefined],
    ['above', between || (maximum ?? maxLength ?? maxItems) !== undefined],
    ['pattern', schema.pattern !== undefined],
    ['choice', schema.enum !== undefined],
    ['twice', list === 'set' || list === 'map'],
  ];
  const own: [string, Wrong[]] = [path, ways.filter(([, applies]) => applies).map(([way]) => way)];
  const below = Object.entries(schema.properties ?? {}).flatMap(([name, field]) =>
    fields(field, `${path}.${name}`, schema.required?.includes(name) ?? false),
  );
  return [own, ...below, ...(schema.items ? fields(schema.items, `${path}[]`, false) : [])];
}

/** The messages of every rule in a schema. */
const messages = (schema: Schema): string[] => [
  ...(schema['x-kubernetes-validations'] ?? []).map(({ message }) => message),
  ...[...Object.values(schema.properties ?? {}), ...(schema.items ? [schema.items] : [])].flatMap(messages),
];

describe.each(kinds)('a $definition.resource.kind that is out of range', (kind) => {
  const { definition, refusals, name, spec } = kind;
  const rows = Object.entries(refusals).flatMap(([field, ways]) =>
    Object.entries(ways).map(([way, wrong]): [string, string, unknown] => [field, way, wrong]),
  );

  test('has a row for every field and every way in which it can be wrong', () => {
    const listed = new Set(rows.map(([field, way]) => `${field} ${way}`));
    const needed = fields(definition.spec, 'spec').flatMap(([field, ways]) => ways.map((way) => `${field} ${way}`));
    expect(needed.filter((row) => !listed.has(row))).toEqual([]);
    const known = new Set(fields(definition.spec, 'spec').map(([field]) => field));
    expect(Object.keys(refusals).filter((field) => !known.has(field))).toEqual([]);
  });

  test.each(rows)('%s, %s: is refused with the name of the field', async (field, _, wrong) => {
    const whole = typeof wrong === 'object' ? { ...spec, ...wrong } : wrong;
    expect(await create(kind, name, whole)).toContain(field.replace('[]', '[0]'));
  });

  test('a field that there is not: is refused with its name', async () => {
    expect(await create(kind, name, { ...spec, color: 'red' })).toContain('spec.color');
  });
});

test('a rollout needs another backend to take the traffic from', async () => {
  const rollout = { backend: 'canary', steps: [{ weight: 100 }] };
  const spec = { service: 'chat', backends: [{ service: 'canary' }], rollout };
  expect(await create(kinds[1]!, 'chat', spec)).toContain('spec.rollout.backend');
});

test('spec.roomId must be given where the name is too long for one', async () => {
  expect(await create(kinds[0]!, 'x'.repeat(200), { displayName: 'x' })).toContain('spec.roomId');
});

test('spec.roomId cannot be changed, but may be spelled out', async () => {
  const rooms = '/apis/parley.dev/v1alpha1/namespaces/default/chatrooms';
  const metadata = { name: 'fixed' };
  const body = { apiVersion: 'parley.dev/v1alpha1', kind: 'ChatRoom', metadata, spec: { displayName: 'x' } };
  await cluster.api.request('POST', rooms, { body });
  const contentType = 'application/merge-patch+json';
  expect(await refused('PATCH', `${rooms}/fixed`, { spec: { roomId: 'another' } }, contentType)).toMatch(
    /spec\.roomId: .*immutable/,
  );
  for (const roomId of ['fixed', null]) {
    const answer = await cluster.api.request('PATCH', `${rooms}/fixed`, { body: { spec: { roomId } }, contentType });
    expect(answer.status).toBe(200);
  }
});

test('every rule of the schemas has refused something', () => {
  for (const { definition } of kinds) {
    const rules = [...definition.rules.map(({ message }) => message), ...messages(definition.spec)];
    expect(rules.filter((message) => !said.some((text) => text.includes(message)))).toEqual([]);
  }
});
