import { networkInterfaces } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { connectivityState } from '@grpc/grpc-js';
import { type ApiServer, lendApiServer } from '@parley/apiserver';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cluster, defineServiceWeight, kubeConfig, until } from '../test/cluster.ts';
import { EchoClient, EchoServer, tally } from '../test/fleet.ts';
import { type Discovery, registerDiscovery } from './register.ts';

/** EndpointSlices refuse loopback addresses, so the servers listen on another one of this machine. */
const host = Object.values(networkInterfaces())
  .flat()
  .find((each) => each && !each.internal && each.family === 'IPv4')?.address;

/** How long the API server is away, in seconds: two minutes in `make verify`. */
const outageSeconds = Number(process.env['PARLEY_TEST_OUTAGE_SECONDS'] ?? 3);

describe.skipIf(host === undefined)('k8s:///', () => {
  let api: ApiServer;
  let cluster: Cluster;
  let discovery: Discovery;
  beforeAll(async () => {
    api = await lendApiServer();
    await defineServiceWeight(api);
    cluster = new Cluster(api, 'default');
    // As in production: no timing is shortened.
    discovery = registerDiscovery({ kubeConfig: kubeConfig(api, 'default') });
  });
  afterAll(async () => {
    discovery?.close();
    await api?.[Symbol.asyncDispose]();
  });

  const slice = (service: string, ...servers: EchoServer[]) =>
    Promise.all(
      servers.map(({ name, port }) =>
        cluster.slice(`${service}-${name}`, { service, endpoints: [host!], ports: [{ name: 'grpc', port }] }),
      ),
    );
  const weights = (service: string, stable: number, canary: number) => ({
    effective: [
      { service: `${service}-stable`, weight: stable },
      { service: `${service}-canary`, weight: canary },
    ],
  });

  it('follows a ServiceWeight under load, without a failed call and without a reconnect', async () => {
    await using stable = await EchoServer.start('stable', host);
    await using canary = await EchoServer.start('canary', host);
    await slice('chat-stable', stable);
    await slice('chat-canary', canary);
    await slice('chat', stable, canary);
    await cluster.weight('chat', {}, weights('chat', 90, 10));
    using client = new EchoClient('k8s:///chat:grpc');
    const failures: unknown[] = [];
    const names: string[] = [];
    await client.say();
    let load = true;
    const busy = (async () => {
      while (load)
        await client.say().then(
          (name) => names.push(name),
          (error) => failures.push(error),
        );
    })();
    await until('calls are made', () => names.length > 1_000);
    const before = names.length;
    for (let from = 0; from + 100 <= before; from++) {
      expect(Math.abs((tally(names.slice(from, from + 100))['canary'] ?? 0) - 10)).toBeLessThanOrEqual(2);
    }
    await cluster.weight('chat', {}, weights('chat', 50, 50));
    const isEven = () => Math.abs((tally(names.slice(-100))['canary'] ?? 0) - 50) <= 2;
    await until('calls are shared evenly', isEven);
    const after = names.length;
    await until('more calls are made', () => names.length > after + 1_000);
    load = false;
    await busy;
    for (let from = after; from + 100 <= names.length; from++) {
      expect(Math.abs(tally(names.slice(from, from + 100))['canary']! - 50)).toBeLessThanOrEqual(2);
    }
    expect(failures).toEqual([]);
    expect([stable.sessions, canary.sessions]).toEqual([1, 1]);
  });

  it(
    'makes every call while the API server is away, and sees changes when it is back',
    async () => {
      await using first = await EchoServer.start('first', host);
      await using second = await EchoServer.start('second', host);
      await slice('away', first);
      using client = new EchoClient('k8s:///away');
      await client.say();
      await api.stop();
      const end = Date.now() + outageSeconds * 1_000;
      let calls = 0;
      while (Date.now() < end) {
        expect(await client.say()).toBe('first');
        calls += 1;
        await sleep(10);
      }
      expect(calls).toBeGreaterThan(10 * outageSeconds);
      await api.start();
      await slice('away', second);
      await until('the change is seen', async () => (await client.say()) === 'second');
    },
    (outageSeconds + 60) * 1_000,
  );

  it('resolves anew when an idle channel is used again', async () => {
    await using first = await EchoServer.start('first', host);
    await using second = await EchoServer.start('second', host);
    await slice('idle', first);
    using client = new EchoClient('k8s:///idle', {}, { 'grpc.client_idle_timeout_ms': 1_000 });
    expect(await client.say()).toBe('first');
    await until(
      'the channel is idle',
      () => client.client.getChannel().getConnectivityState(false) === connectivityState.IDLE,
    );
    await slice('idle', second);
    await cluster.deleteSlice('idle-first');
    expect(await client.say()).toBe('second');
  });

  it('fails calls to a Service that does not exist at once, and says so', async () => {
    using client = new EchoClient('k8s:///nowhere');
    await expect(client.say()).rejects.toThrow(
      'Service nowhere has no EndpointSlices: does it exist, with a selector?',
    );
  });

  it('fails calls to a port that does not exist at once, and names those there are', async () => {
    await using server = await EchoServer.start('server', host);
    await slice('ports', server);
    using client = new EchoClient('k8s:///ports:grcp');
    await expect(client.say()).rejects.toThrow(
      `Service ports has no port "grcp"; its pods' ports are: grpc (${server.port})`,
    );
    using number = new EchoClient(`k8s:///ports.default:${server.port}`);
    expect(await number.say()).toBe('server');
  });

  it('loses no call when the pods are replaced one after the other', async () => {
    const failures: unknown[] = [];
    await using first = await EchoServer.start('first', host);
    await slice('rolling', first);
    using client = new EchoClient('k8s:///rolling');
    let load = true;
    let calls = 0;
    const caller = async () => {
      while (load)
        await client.say().then(
          () => (calls += 1),
          (error) => failures.push(error),
        );
    };
    await client.say();
    const busy = Promise.all(Array.from({ length: 10 }, caller));
    let old = first;
    for (let round = 0; round < 5; round++) {
      const next = await EchoServer.start(`round-${round}`, host);
      await slice('rolling', next);
      await until('the new pod is called', () => next.calls > 50);
      await cluster.slice(`rolling-${old.name}`, {
        service: 'rolling',
        endpoints: [{ addresses: [host!], conditions: { ready: false, serving: true, terminating: true } }],
        ports: [{ name: 'grpc', port: old.port }],
      });
      // It drains at once, whether or not clients know yet: GOAWAY has to do.
      await old.drain();
      await cluster.deleteSlice(`rolling-${old.name}`);
      old = next;
    }
    load = false;
    await busy;
    await old[Symbol.asyncDispose]();
    expect(failures).toEqual([]);
    expect(calls).toBeGreaterThan(250);
  });
});
