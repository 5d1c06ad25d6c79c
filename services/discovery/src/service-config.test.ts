import { status } from '@grpc/grpc-js';
import { beforeAll, describe, expect, it } from 'vitest';
import { EchoClient, EchoServer } from '../test/fleet.ts';
import { registerDiscovery } from './register.ts';
import { policiesOf, serviceConfig } from './service-config.ts';

beforeAll(() => {
  registerDiscovery();
});

const path = '/test.Echo/Say';
/** Ejection off: these tests count what reaches an endpoint that fails. */
const balancer = { consecutiveFailures: 0 };

describe('the service config', () => {
  it('retries an idempotent method that is answered UNAVAILABLE, on another endpoint', async () => {
    await using ill = await EchoServer.start('ill');
    await using well = await EchoServer.start('well');
    ill.mood = 'unavailable';
    using client = new EchoClient(`static:///${ill.address},${well.address}`, {
      methods: [{ path, idempotent: true }],
      balancer,
    });
    expect(await client.sequence(20)).toEqual(Array(20).fill('well'));
    expect(ill.calls).toBeGreaterThan(0);
  });

  it('never retries another method', async () => {
    await using ill = await EchoServer.start('ill');
    ill.mood = 'unavailable';
    using client = new EchoClient(`static:///${ill.address}`, { methods: [{ path, idempotent: false }], balancer });
    await expect(client.say()).rejects.toMatchObject({ code: status.UNAVAILABLE, details: 'ill is unwell' });
    expect(ill.calls).toBe(1);
  });

  it('has a budget: when everything fails, retrying stops', async () => {
    await using ill = await EchoServer.start('ill');
    ill.mood = 'unavailable';
    using client = new EchoClient(`static:///${ill.address}`, { methods: [{ path, idempotent: true }], balancer });
    const calls = 200;
    await Promise.all(Array.from({ length: calls }, () => client.say().catch(() => {})));
    // A hundred tokens, one a failure; below half of them there are no retries.
    expect(ill.calls).toBeLessThan(calls + 100);
  });

  it('ends a unary call at the general deadline, or at its own', async () => {
    await using mute = await EchoServer.start('mute');
    mute.mood = 'silent';
    using client = new EchoClient(`static:///${mute.address}`, {
      methods: [{ path, idempotent: false, timeoutMs: 1_100 }],
    });
    await expect(client.say(60_000)).rejects.toMatchObject({ code: status.DEADLINE_EXCEEDED });
  });

  it('gives streams no deadline, and others theirs to the millisecond', () => {
    const stream = { path: '/a.B/Watch', idempotent: true, stream: true };
    const unary = { path: '/a.B/Get', idempotent: false, timeoutMs: 1_500 };
    const { methodConfig } = JSON.parse(serviceConfig({ methods: [stream, unary] }));
    expect(methodConfig[0]).toMatchObject({
      name: [{ service: 'a.B', method: 'Watch' }],
      retryPolicy: { maxAttempts: 4 },
    });
    expect(methodConfig[0].timeout).toBeUndefined();
    expect(methodConfig[1]).toEqual({
      name: [{ service: 'a.B', method: 'Get' }],
      timeout: { seconds: 1, nanos: 500_000_000 },
    });
  });

  it('refuses balancer settings that grpc-js would drop without a word', () => {
    expect(() => serviceConfig({ methods: [], balancer: { settleMs: 0.5 } })).toThrow('settleMs is 0.5; allowed are');
  });

  it('knows idempotent methods by their idempotency_level', () => {
    const shape = { path: '/a.B/Get', requestStream: false, responseStream: false };
    const of = (level?: string) =>
      policiesOf({ Get: { ...shape, options: { idempotency_level: level } } })[0]!.idempotent;
    expect(of('NO_SIDE_EFFECTS')).toBe(true);
    expect(of('IDEMPOTENT')).toBe(true);
    expect(of('IDEMPOTENCY_UNKNOWN')).toBe(false);
    expect(of()).toBe(false);
  });
});

describe('a channel', () => {
  it('to a target that does not parse is refused with what is allowed', () => {
    expect(() => new EchoClient('static:///nowhere')).toThrow('allowed is static:///host:port*weight');
    expect(() => new EchoClient('k8s:///Not.A.Service')).toThrow('allowed is k8s:///service[.namespace][:port]');
  });
});
