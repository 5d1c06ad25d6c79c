import { experimental } from '@grpc/grpc-js';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { until } from '../test/cluster.ts';
import { EchoClient, EchoServer, tally } from '../test/fleet.ts';
import { backendsAttribute } from './balancer.ts';
import type { WeightedBackend } from './endpoints.ts';
import { assertBalancer, registerDiscovery } from './register.ts';

/** A resolver whose answers the test gives: `scripted:///name`. */
const scripts = new Map<string, (backends: WeightedBackend[] | Error) => void>();

class ScriptedResolver implements experimental.Resolver {
  static first = new Map<string, WeightedBackend[]>();
  readonly #name: string;
  readonly #listener: experimental.ResolverListener;
  constructor(target: { path: string }, listener: experimental.ResolverListener) {
    this.#name = target.path;
    this.#listener = listener;
  }
  updateResolution(): void {
    if (scripts.has(this.#name)) return;
    scripts.set(this.#name, (backends) => this.#deliver(backends));
    setImmediate(() => this.#deliver(ScriptedResolver.first.get(this.#name)!));
  }
  #deliver(backends: WeightedBackend[] | Error): void {
    if (backends instanceof Error) {
      this.#listener(experimental.statusOrFromError({ code: 14, details: backends.message }), {}, null, '');
      return;
    }
    const endpoints = backends.flatMap((each) => each.endpoints.map(({ addresses }) => ({ addresses })));
    this.#listener(experimental.statusOrFromValue(endpoints), { [backendsAttribute]: backends }, null, '');
  }
  destroy(): void {
    scripts.delete(this.#name);
  }
  static getDefaultAuthority(): string {
    return 'scripted';
  }
}

function backend(name: string, weight: number, servers: readonly EchoServer[]): WeightedBackend {
  const endpoints = servers.map(({ port, address }) => ({
    id: address,
    addresses: [{ host: '127.0.0.1', port }],
    weight: 10,
  }));
  return { name, weight, endpoints };
}

let runs = 0;
function script(...backends: WeightedBackend[]): {
  target: string;
  change(...next: WeightedBackend[]): void;
  fail(why: string): void;
} {
  const name = `run${runs++}`;
  ScriptedResolver.first.set(name, backends);
  return {
    target: `scripted:///${name}`,
    change: (...next) => scripts.get(name)!(next),
    fail: (why) => scripts.get(name)!(new Error(why)),
  };
}

async function start(...names: string[]): Promise<EchoServer[]> {
  return Promise.all(names.map((name) => EchoServer.start(name)));
}

beforeAll(() => {
  registerDiscovery();
  experimental.registerResolver('scripted', ScriptedResolver);
});

describe('parley_weighted', () => {
  const servers: EchoServer[] = [];
  afterAll(async () => {
    for (const server of servers) await server[Symbol.asyncDispose]();
  });
  const fleet = async (...names: string[]) => {
    const started = await start(...names);
    servers.push(...started);
    return started;
  };

  it('gives 90 and 10 of any 100 calls, from the first call on', async () => {
    const [a1, a2, a3, b1] = await fleet('a1', 'a2', 'a3', 'b1');
    const { target } = script(backend('a', 90, [a1!, a2!, a3!]), backend('b', 10, [b1!]));
    using client = new EchoClient(target);
    const names = await client.sequence(500);
    for (let from = 0; from + 100 <= names.length; from++) {
      const canary = tally(names.slice(from, from + 100))['b1'] ?? 0;
      expect(Math.abs(canary - 10)).toBeLessThanOrEqual(2);
    }
    const each = tally(names);
    expect(
      Math.max(each['a1']!, each['a2']!, each['a3']!) - Math.min(each['a1']!, each['a2']!, each['a3']!),
    ).toBeLessThanOrEqual(2);
  });

  it('takes new weights at once, under load, without a reconnect and without a failed call', async () => {
    const [a, b] = await fleet('a', 'b');
    const { target, change } = script(backend('a', 90, [a!]), backend('b', 10, [b!]));
    using client = new EchoClient(target);
    await client.say();
    const rounds: [number, number][] = [
      [50, 50],
      [10, 90],
      [1, 999],
      [90, 10],
      [50, 50],
    ];
    let load = true;
    const failures: unknown[] = [];
    const busy = Promise.all(
      Array.from({ length: 10 }, async () => {
        while (load) await client.say().catch((error) => failures.push(error));
      }),
    );
    for (const [left, right] of rounds) {
      change(backend('a', left, [a!]), backend('b', right, [b!]));
      const before = b!.calls;
      const all = a!.calls + b!.calls;
      await until('it', () => a!.calls + b!.calls >= all + 500);
      const calls = a!.calls + b!.calls - all;
      expect(Math.abs(b!.calls - before - (calls * right) / (left + right))).toBeLessThanOrEqual(12);
    }
    load = false;
    await busy;
    expect(failures).toEqual([]);
    expect([a!.sessions, b!.sessions]).toEqual([1, 1]);
  });

  it('keeps working connections when the resolver reports an error', async () => {
    const [a] = await fleet('a');
    const { target, fail } = script(backend('a', 1, [a!]));
    using client = new EchoClient(target);
    await client.say();
    fail('nobody is ready');
    expect(await client.sequence(20)).toEqual(Array(20).fill('a'));
    expect(a!.sessions).toBe(1);
  });

  it('dials again what dropped in between, when the resolver has endpoints again', async () => {
    const [a, b] = await fleet('a', 'b');
    const { target, change, fail } = script(backend('a', 1, [a!, b!]));
    using client = new EchoClient(target);
    await client.sequence(4);
    fail('nobody is ready');
    a!.hangUp();
    await until('a is gone', async () => tally(await client.sequence(10))['b'] === 10);
    change(backend('a', 1, [a!, b!]));
    await until('a is back', async () => (await client.say()) === 'a');
    expect([a!.sessions, b!.sessions]).toEqual([2, 1]);
  });

  it('never ejects more than half, however many fail', async () => {
    const all = await fleet('a', 'b', 'c', 'd');
    const { target } = script(backend('a', 1, all));
    using client = new EchoClient(target, { balancer: { consecutiveFailures: 2, baseEjectionMs: 60_000 } });
    await client.sequence(4);
    for (const server of all) server.mood = 'unavailable';
    for (let call = 0; call < 40; call++) await client.say().catch(() => {});
    const before = all.map(({ calls }) => calls);
    for (let call = 0; call < 40; call++) await client.say().catch(() => {});
    expect(all.filter(({ calls }, at) => calls > before[at]!)).toHaveLength(2);
  });

  it('passes on why there is nobody to call', async () => {
    const { target } = script();
    using client = new EchoClient(target);
    await expect(client.say()).rejects.toThrow('the resolver found no endpoints');
  });

  it('loses no call when servers drain one after the other', async () => {
    const old = await fleet('old1', 'old2', 'old3');
    const fresh = await fleet('new1', 'new2', 'new3');
    // Calls take a while, so that every drain finds some under way.
    for (const server of [...old, ...fresh]) server.delayMs = 10;
    const { target, change } = script(backend('a', 1, old));
    using client = new EchoClient(target);
    await client.say();
    let load = true;
    const failures: unknown[] = [];
    const names: string[] = [];
    const busy = Promise.all(
      Array.from({ length: 20 }, async () => {
        while (load)
          await client.say().then(
            (name) => names.push(name),
            (error) => failures.push(error),
          );
      }),
    );
    const current = [...old];
    for (const [at, server] of old.entries()) {
      current.push(fresh[at]!);
      change(backend('a', 1, current));
      const replaced = fresh[at]!;
      await until('it', () => replaced.calls > 20);
      // The server goes before the list says so: GOAWAY alone must do.
      await server.drain();
      current.splice(current.indexOf(server), 1);
      const done = names.length;
      await until('it', () => names.length > done + 100);
      change(backend('a', 1, current));
    }
    load = false;
    await busy;
    expect(failures).toEqual([]);
    expect(names.length).toBeGreaterThan(300);
  });

  it('ejects an endpoint that fails, tries it again later and takes it back when it is well', async () => {
    const [well, ill] = await fleet('well', 'ill');
    const { target } = script(backend('a', 1, [well!, ill!]));
    using client = new EchoClient(target, { balancer: { consecutiveFailures: 3, baseEjectionMs: 200 } });
    await client.sequence(10);
    ill!.mood = 'unavailable';
    let failed = 0;
    await until('it is ejected', async () => {
      await client.say().catch(() => failed++);
      return failed === 3;
    });
    // Still ill: one trial, no more.
    const before = ill!.calls;
    await until('it is tried', async () => {
      await client.say().catch(() => failed++);
      return ill!.calls > before;
    });
    expect(failed).toBe(4);
    ill!.mood = 'well';
    await until('it', async () => (await client.say()) === 'ill');
    expect(tally(await client.sequence(20))).toEqual({ well: 10, ill: 10 });
  });

  it('stops calling an endpoint that accepts calls and never answers', async () => {
    const [well, mute] = await fleet('well', 'mute');
    const { target } = script(backend('a', 1, [well!, mute!]));
    using client = new EchoClient(target, { balancer: { consecutiveFailures: 3, baseEjectionMs: 60_000 } });
    await client.say();
    mute!.mood = 'silent';
    const outcomes: string[] = [];
    await until('it', async () => {
      await Promise.all(
        Array.from({ length: 8 }, () =>
          client.say(400).then(
            (name) => outcomes.push(name),
            () => {},
          ),
        ),
      );
      return (
        outcomes.length >= 8 &&
        outcomes.slice(-8).every((name) => name === 'well') &&
        mute!.calls >= 3 &&
        well!.calls > 2 * mute!.calls
      );
    });
    expect(tally(await client.sequence(50))).toEqual({ well: 50 });
  });

  it('serves from the others when an endpoint accepts the connection and never speaks', async () => {
    const { createServer } = await import('node:net');
    const hole = createServer(() => {}).listen(0, '127.0.0.1');
    await new Promise((resolve) => hole.once('listening', resolve));
    const [well] = await fleet('well');
    const port = (hole.address() as { port: number }).port;
    const silent = {
      name: 'b',
      weight: 50,
      endpoints: [{ id: 'hole', addresses: [{ host: '127.0.0.1', port }], weight: 10 }],
    };
    const { target } = script(backend('a', 50, [well!]), silent);
    using client = new EchoClient(target);
    expect(tally(await client.sequence(50))).toEqual({ well: 50 });
    hole.close();
  });

  it('refuses settings that it does not know or that are out of range', () => {
    expect(() => assertBalancer({ parley_weighted: { settleMs: -1 } })).toThrow(
      'settleMs is -1; allowed are whole numbers from 0 to 60000',
    );
    expect(() => assertBalancer({ parley_weighted: { settle: 1 } })).toThrow('settle is not a setting');
    expect(() => assertBalancer({ round_robin: {} })).toThrow('is not parley_weighted');
  });
});
