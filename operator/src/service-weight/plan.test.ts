import { expect, test } from 'vitest';
import type { ServiceWeight, ServiceWeightSpec } from '../api/index.ts';
import { findCondition } from '../runtime/index.ts';
import { type Observed, plan } from './plan.ts';

const now = new Date('2026-11-23T12:00:00Z');
const port = { name: 'grpc', port: 50051 };

function world(ready: Record<string, number>, services = ['chat', ...Object.keys(ready)]): Observed {
  const slice = (service: string, count: number) => ({
    metadata: { name: service },
    ports: [port],
    endpoints: Array.from({ length: count }, (_, i) => ({ addresses: [`10.0.${service.length}.${i}`] })),
  });
  return {
    services: new Map(services.map((name) => [name, { metadata: { name }, spec: { ports: [port] } }])),
    slices: new Map(Object.entries(ready).map(([service, count]) => [service, [slice(service, count)]])),
    calls: {},
    maxErrorRate: 0.05,
  };
}

const weight = (spec: Partial<ServiceWeightSpec> = {}): ServiceWeight => ({
  metadata: { name: 'chat', namespace: 'default', generation: 1 },
  spec: {
    service: 'chat',
    port: 'grpc',
    backends: [
      { service: 'stable', weight: 90 },
      { service: 'canary', weight: 10 },
    ],
    ...spec,
  },
});
const reason = (of: ReturnType<typeof plan>, type = 'Ready') => findCondition(of.status.conditions, type)?.reason;

test.each<[string, Observed, string, number[]]>([
  ['everything is well', world({ stable: 3, canary: 1 }), 'Effective', [90, 10]],
  ['the canary has no endpoint', world({ stable: 3, canary: 0 }), 'WeightMoved', [90, 0]],
  ['nobody has one', world({ stable: 0, canary: 0 }), 'NoReadyEndpoints', [90, 10]],
  ['a Service is missing', world({ stable: 3, canary: 0 }, ['chat', 'stable']), 'ServiceNotFound', [90, 0]],
  ['the Service itself is missing', world({ stable: 3, canary: 1 }, ['stable', 'canary']), 'ServiceNotFound', [90, 10]],
])('when %s', (_, observed, expected, weights) => {
  const planned = plan(weight(), observed, now);
  expect(reason(planned)).toBe(expected);
  expect(planned.status.effective?.map((backend) => backend.weight)).toEqual(weights);
});

test('a port that no backend has is named', () => {
  const planned = plan(weight({ port: 'http' }), world({ stable: 3, canary: 1 }), now);
  expect(findCondition(planned.status.conditions, 'Ready')).toMatchObject({
    reason: 'PortNotFound',
    message: 'stable, canary has no port http',
  });
});

test('the same world again gives the same status and no Event', () => {
  const rollout = { backend: 'canary', steps: [{ weight: 20, pause: '1h' }, { weight: 100 }] };
  const resource = weight({ rollout, slowStart: '30s' });
  const first = plan(resource, world({ stable: 3, canary: 1 }), now);
  expect(first.status).toMatchObject({ slowStart: '30s', summary: 'stable=80 canary=20', rollout: { step: 1 } });
  expect(first.events.map((event) => event.reason)).toEqual(['RolloutStep']);
  const second = plan(
    { ...resource, status: first.status },
    world({ stable: 3, canary: 1 }),
    new Date(now.getTime() + 60_000),
  );
  expect(second.status).toEqual(first.status);
  expect(second.events).toEqual([]);
});

test('a spec that this operator does not know leaves the weights as they were', () => {
  const before = plan(weight(), world({ stable: 3, canary: 1 }), now).status;
  const planned = plan({ ...weight({ slowStart: 'gently' }), status: before }, world({ stable: 3, canary: 0 }), now);
  expect(reason(planned)).toBe('InvalidSpec');
  expect(planned.status.effective).toEqual(before.effective);
});

test('an abort is a Warning that says why, and the weights are those of the spec', () => {
  const rollout = { backend: 'canary', steps: [{ weight: 50, pause: '1h' }] };
  const resource = weight({ rollout });
  const { status } = plan(resource, world({ stable: 3, canary: 1 }), now);
  const metadata = { ...resource.metadata, annotations: { 'parley.dev/abort': 'true' } };
  const planned = plan({ ...resource, metadata, status }, world({ stable: 3, canary: 1 }), now);
  expect(planned.events).toMatchObject([{ type: 'Warning', reason: 'RolloutAborted' }]);
  expect(planned.status.summary).toBe('stable=90 canary=10');
  expect(reason(planned, 'Progressing')).toBe('RolloutAborted');
});
