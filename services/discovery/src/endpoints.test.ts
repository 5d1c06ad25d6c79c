import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { show } from '../test/cluster.ts';
import { endpoints, type Observed } from './endpoints.ts';
import type { EndpointSlice, ServiceWeight, SliceEndpoint } from './kubernetes.ts';

function slice(name: string, list: (string | SliceEndpoint)[], more: Partial<EndpointSlice> = {}): EndpointSlice {
  return {
    metadata: { name },
    addressType: 'IPv4',
    ports: [{ name: 'grpc', port: 50051 }],
    endpoints: list.map((each) => (typeof each === 'string' ? { addresses: [each] } : each)),
    ...more,
  };
}

const weights = (shares: Record<string, number>): ServiceWeight => ({
  metadata: { name: 'chat' },
  spec: { backends: Object.entries(shares).map(([service, weight]) => ({ service, weight })) },
});

const observed = (slices: Record<string, EndpointSlice[]>, more: Partial<Observed> = {}): Observed => ({
  service: 'chat',
  slices: new Map(Object.entries(slices)),
  ...more,
});

const two = { stable: [slice('s', ['10.0.0.1', '10.0.0.2'])], canary: [slice('c', ['10.0.0.3'])] };

describe('weights', () => {
  const shown = (shares: Record<string, number>) => show(endpoints(observed(two), weights(shares), 0));

  it('are shared by backend, whatever the number of endpoints', () => {
    expect(shown({ stable: 90, canary: 10 })).toBe('stable*90 10.0.0.1 10.0.0.2 | canary*10 10.0.0.3');
  });

  it('of 0 mean none, and all 0 means even', () => {
    expect(shown({ stable: 90, canary: 0 })).toBe('stable*90 10.0.0.1 10.0.0.2');
    expect(shown({ stable: 0, canary: 0 })).toBe('stable*1 10.0.0.1 10.0.0.2 | canary*1 10.0.0.3');
  });

  it('of 0 are obeyed even when nobody else is there', () => {
    const resolution = endpoints(
      observed({ stable: [slice('s', [])], canary: two.canary }),
      weights({ stable: 1, canary: 0 }),
      0,
    );
    expect(resolution.backends).toEqual([]);
    expect(resolution.problems).toEqual(['Service stable has no ready endpoint (0 in 1 EndpointSlices)']);
  });

  it('of unknown backends are ignored and reported', () => {
    const { backends, problems } = endpoints(observed(two), weights({ stable: 1, typo: 99 }), 0);
    expect(backends.map(({ name }) => name)).toEqual(['stable']);
    expect(problems).toEqual(['backend typo is ignored: it has no EndpointSlices']);
  });

  it('of nothing but unknown backends leave the Service itself', () => {
    const slices = { chat: [slice('x', ['10.0.0.9'])] };
    expect(show(endpoints(observed(slices), weights({ stable: 1, canary: 0 }), 0))).toBe('chat*1 10.0.0.9');
  });

  it.each([-1, 0.5, 2 ** 31, 1_000_001, Number.NaN])('of %d are refused as a whole, in words', (weight) => {
    const resource = { ...weights({ stable: 1, canary: 3 }), status: { effective: [{ service: 'stable', weight }] } };
    const { backends, problems } = endpoints(observed(two), resource, 0);
    expect(backends.map((each) => each.weight)).toEqual([1, 3]);
    expect(problems[0]).toMatch(
      /^status.effective\[0\].weight of stable: .* allowed are whole numbers from 0 to 1,000,000$/,
    );
  });
});

describe('EndpointSlices', () => {
  it('count an address once that is in two of them, as ready if either says so', () => {
    const stale = { addresses: ['10.0.0.1'], conditions: { ready: false, serving: true, terminating: true } };
    expect(show(endpoints(observed({ chat: [slice('a', [stale]), slice('b', ['10.0.0.1'])] }), undefined, 0))).toBe(
      'chat*1 10.0.0.1',
    );
  });

  it('without an endpoint, or with 1,000, are what they are', () => {
    expect(endpoints(observed({ chat: [slice('a', [])] }), undefined, 0).backends).toEqual([]);
    expect(endpoints(observed({ chat: [slice('a', [], { endpoints: null })] }), undefined, 0).backends).toEqual([]);
    const many = Array.from({ length: 1_000 }, (_, at) => `10.0.${at >> 8}.${at & 255}`);
    expect(endpoints(observed({ chat: [slice('a', many)] }), undefined, 0).backends[0]!.endpoints).toHaveLength(1_000);
  });

  it('with hints lead to the own zone, when all have hints and one is for it', () => {
    const hinted = (address: string, ...zones: string[]) => ({
      addresses: [address],
      hints: { forZones: zones.map((name) => ({ name })) },
    });
    const of = (zone: string, ...list: (string | SliceEndpoint)[]) =>
      show(endpoints(observed({ chat: [slice('a', list)] }, { zone }), undefined, 0));
    expect(of('a', hinted('10.0.0.1', 'a'), hinted('10.0.0.2', 'b'))).toBe('chat*1 10.0.0.1');
    expect(of('c', hinted('10.0.0.1', 'a'), hinted('10.0.0.2', 'b'))).toBe('chat*1 10.0.0.1 10.0.0.2');
    expect(of('a', hinted('10.0.0.1', 'a'), '10.0.0.2')).toBe('chat*1 10.0.0.1 10.0.0.2');
  });

  it('take the port of the target, else of the ServiceWeight, else the only one or grpc', () => {
    const ports = [
      { name: 'http', port: 8080 },
      { name: 'grpc', port: 50051 },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ];
    const ids = (port?: string | number, weight?: ServiceWeight) =>
      endpoints(observed({ chat: [slice('a', ['10.0.0.1'], { ports })] }, { port }), weight, 0).backends[0]
        ?.endpoints[0]?.id;
    expect(ids()).toBe('10.0.0.1:50051');
    expect(ids('http')).toBe('10.0.0.1:8080');
    expect(ids(8080)).toBe('10.0.0.1:8080');
    expect(ids(53)).toBeUndefined();
    expect(ids(undefined, { metadata: {}, spec: { port: 'http' } })).toBe('10.0.0.1:8080');
    expect(ids(undefined, { metadata: {}, spec: { port: '8080' } })).toBe('10.0.0.1:8080');
  });
});

describe('slow start', () => {
  const resource = { metadata: {}, spec: { slowStart: '30s' } };
  const at = (ageMs: number) => {
    const since = new Map([['10.0.0.1:50051', 0]]);
    return endpoints(observed({ chat: [slice('a', ['10.0.0.1', '10.0.0.2'])] }, { since }), resource, ageMs);
  };

  it('gives a new endpoint a tenth of a share, and a whole one in the end', () => {
    const share = (ageMs: number) => at(ageMs).backends[0]!.endpoints.map(({ weight }) => weight);
    expect(share(0)).toEqual([1, 10]);
    expect(share(15_000)).toEqual([6, 10]);
    expect(share(30_000)).toEqual([10, 10]);
  });

  it('says when to look again, so that every look changes something', () => {
    const looks: number[] = [];
    for (let next = at(0).changesInMs; next !== undefined; next = at(looks.at(-1)!).changesInMs) {
      looks.push((looks.at(-1) ?? 0) + next);
    }
    expect(looks).toEqual([3_000, 6_000, 9_000, 12_000, 15_000, 18_000, 21_000, 24_000, 27_000]);
  });

  it('that is not a duration is refused in words', () => {
    const { problems } = endpoints(observed(two), { metadata: {}, spec: { slowStart: 'soon' } }, 0);
    expect(problems[0]).toBe('slowStart is "soon"; allowed is a duration such as 30s or 1m30s');
  });
});

describe('for any slices and weights', () => {
  it('a ServiceWeight with anything in it is read, or refused in words', () => {
    const value = fc.jsonValue({ maxDepth: 4 });
    const some = fc.option(fc.array(fc.record({ service: fc.oneof(fc.constant('stable'), value), weight: value })));
    const backends = fc.oneof(some, value);
    const part = fc.record({ backends, effective: backends, slowStart: value, port: value });
    fc.assert(
      fc.property(fc.oneof(part, value), fc.oneof(part, value), (spec, status) => {
        const resource = { metadata: {}, spec, status } as unknown as ServiceWeight;
        for (const problem of endpoints(observed(two), resource, 0).problems) expect(problem).toMatch(/ /);
      }),
      { numRuns: 1_000, examples: [[{ backends: null, port: { toString: null } }, null]] },
    );
  });

  const condition = fc.constantFrom(true, false, null, undefined);
  const endpoint = fc.record({
    addresses: fc.integer({ min: 1, max: 40 }).map((host) => [`10.0.0.${host}`]),
    conditions: fc.record({ ready: condition, serving: condition, terminating: condition }),
  });
  const slices = fc
    .array(fc.array(endpoint, { maxLength: 10 }), { maxLength: 4 })
    .map((lists) => lists.map((list, at) => slice(`s${at}`, list)));
  const share = fc.oneof(fc.integer({ min: 0, max: 5 }), fc.integer({ min: -10, max: 2 ** 32 }), fc.double());

  it('no endpoint is called that is neither ready nor serving, none of weight 0, none twice', () => {
    fc.assert(
      fc.property(slices, slices, fc.option(fc.tuple(share, share)), (a, b, split) => {
        const resource = split ? weights({ a: split[0], b: split[1] }) : undefined;
        const { backends } = endpoints(observed({ a, b, chat: [...a, ...b] }), resource, 0);
        for (const { name, weight, endpoints: list } of backends) {
          expect(weight).toBeGreaterThan(0);
          const valid = split?.every((each) => Number.isInteger(each) && each >= 0 && each <= 1_000_000);
          if (valid && name !== 'chat' && split!.some((each) => each > 0))
            expect(split![name === 'a' ? 0 : 1]).toBe(weight);
          const source = { a, b, chat: [...a, ...b] }[name]!.flatMap((each) => each.endpoints!);
          const hosts = list.map(({ addresses }) => addresses[0]!.host);
          expect(new Set(hosts).size).toBe(hosts.length);
          const anyReady = source.some(isReady);
          for (const host of hosts) {
            const said = source.filter(({ addresses }) => addresses[0] === host);
            expect(said.some(anyReady ? isReady : isServing)).toBe(true);
          }
        }
      }),
      { numRuns: 500 },
    );
  });

  const isReady = ({ conditions }: SliceEndpoint) => (conditions?.ready ?? true) && !conditions?.terminating;
  const isServing = ({ conditions }: SliceEndpoint) => conditions?.serving ?? true;
});
