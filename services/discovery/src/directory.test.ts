import { type ApiServer, lendApiServer, startApiServer } from '@parley/apiserver';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, it } from 'vitest';
import { Cluster, Counted, defineServiceWeight, kubeConfig, StallingProxy, show, until } from '../test/cluster.ts';
import { Directory, type DirectoryOptions } from './directory.ts';
import type { Resolution } from './endpoints.ts';
import { defaultTiming } from './reflector.ts';
import { parseKubernetesTarget } from './target.ts';

/** A real API server plays every row of EndpointSlices; `namespace` keeps the tests apart. */
let api: ApiServer;
const open: (() => void)[] = [];
sharedFixture(async (stack) => {
  api = stack.use(await startApiServer({ users: { reader: ['readers'], nobody: [] }, flags: ['--watch-cache=false'] }));
  await defineServiceWeight(api);
  stack.defer(() => {
    for (const close of open.splice(0)) close();
  });
});

const brisk = { connectMs: 500, watchMs: 1_000, graceMs: 1_000, retryMinMs: 20, retryMaxMs: 200, absentMs: 100 };

/** Follows a target, and remembers what it was told. */
class Follower {
  readonly metrics = new Counted();
  readonly told: ({ resolution: Resolution } | { error: string })[] = [];
  readonly directory: Directory;
  end = () => {};

  constructor(options: Partial<DirectoryOptions> & Pick<DirectoryOptions, 'kubeConfig'>) {
    this.directory = new Directory({ timing: brisk, metrics: this.metrics, ...options });
    open.push(() => this.directory.close());
  }

  async follow(path: string): Promise<this> {
    const lookup = await this.directory.lookup(parseKubernetesTarget({ scheme: 'k8s', path }));
    this.end = lookup.subscribe((result) => this.told.push(result));
    return this;
  }

  get shown(): string {
    const last = this.told.at(-1);
    return last === undefined ? 'nothing' : 'error' in last ? last.error : show(last.resolution);
  }

  shows(text: string): Promise<void> {
    return until(`"${text}" instead of`, () => this.shown === text).catch((error) => {
      throw new Error(`${error.message}: ${this.shown}`);
    });
  }

  lists(resource: string): number {
    return this.#count(`parley_discovery_lists_total`, resource);
  }

  failures(resourceAndReason: string): number {
    return this.#count('parley_discovery_watch_failures_total', resourceAndReason);
  }

  #count(name: string, end: string): number {
    const found = [...this.metrics.counts].filter(([key]) => key.startsWith(name) && key.endsWith(end));
    return found.reduce((sum, [, count]) => sum + count, 0);
  }
}

let spaces = 0;
async function space(): Promise<Cluster> {
  return Cluster.create(api, `space-${spaces++}`);
}
const follower = (cluster: Cluster, user = 'admin') =>
  new Follower({ kubeConfig: () => kubeConfig(cluster.api, cluster.namespace, user) });

describe('before ServiceWeights are defined', () => {
  it('shares calls evenly, and finds the weights once the definition is there', async () => {
    await using bare = await lendApiServer();
    const cluster = await Cluster.create(bare, 'bare');
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1', '10.0.0.2'] });
    await cluster.slice('canary-1', { service: 'chat-canary', endpoints: ['10.0.0.2'] });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1 10.0.0.2');
    await defineServiceWeight(bare);
    await cluster.weight('chat', {
      backends: [
        { service: 'chat', weight: 90 },
        { service: 'chat-canary', weight: 10 },
      ],
    });
    await chat.shows('chat*90 10.0.0.1 10.0.0.2 | chat-canary*10 10.0.0.2');
  });
});

async function following(cluster: Cluster, path: string, user = 'admin') {
  const found = await follower(cluster, user).follow(path);
  return Object.assign(found, {
    async [Symbol.asyncDispose]() {
      found.end();
      found.directory.close();
    },
  });
}

describe('EndpointSlices', () => {
  it('are united by name: a change of one leaves the others, and a deleted one takes only its own', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    await cluster.slice('chat-2', { service: 'chat', endpoints: ['10.0.0.2', '10.0.0.1'] });
    await cluster.slice('other-1', { service: 'other', endpoints: ['10.0.0.9'] });
    await using chat = await following(cluster, 'chat:grpc');
    await chat.shows('chat*1 10.0.0.1 10.0.0.2');
    await cluster.slice('chat-2', { service: 'chat', endpoints: ['10.0.0.3'] });
    await chat.shows('chat*1 10.0.0.1 10.0.0.3');
    await cluster.deleteSlice('chat-1');
    await chat.shows('chat*1 10.0.0.3');
    await cluster.deleteSlice('chat-2');
    await chat.shows('Service chat has no EndpointSlices: does it exist, with a selector?');
    await cluster.slice('chat-3', { service: 'chat', endpoints: ['10.0.0.4'] });
    await chat.shows('chat*1 10.0.0.4');
    expect(chat.lists('endpointslices')).toBe(1);
  });

  it('may be many: 1,000 endpoints in ten of them', async () => {
    const cluster = await space();
    const hosts = (slice: number) => Array.from({ length: 100 }, (_, at) => `10.1.${slice}.${at}`);
    for (let at = 0; at < 10; at++) await cluster.slice(`chat-${at}`, { service: 'chat', endpoints: hosts(at) });
    await using chat = await following(cluster, 'chat');
    const found = () => [...chat.metrics.read('parley_discovery_endpoints').values()][0];
    await until('all are found', () => found() === 1_000);
    await cluster.deleteSlice('chat-7');
    await until('a tenth is gone', () => found() === 900);
  });

  it('of both families give one endpoint a pod', async () => {
    const cluster = await space();
    const pod = (address: string, uid: string) => ({
      addresses: [address],
      targetRef: { uid, kind: 'Pod', name: uid },
    });
    await cluster.slice('chat-4', { service: 'chat', endpoints: [pod('10.0.0.1', 'a'), pod('10.0.0.2', 'b')] });
    await cluster.slice('chat-6', {
      service: 'chat',
      addressType: 'IPv6',
      endpoints: [pod('fd00::1', 'a'), 'fd00::3'],
    });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1+fd00::1 10.0.0.2 fd00::3');
  });

  it('lead to the ready endpoints, else to those still serving, and to none that is neither', async () => {
    const cluster = await space();
    const at = (address: string, ready: boolean, serving: boolean, terminating: boolean) => ({
      addresses: [address],
      conditions: { ready, serving, terminating },
    });
    const leaving = at('10.0.0.2', false, true, true);
    const broken = at('10.0.0.3', false, false, false);
    await cluster.slice('chat-1', { service: 'chat', endpoints: [at('10.0.0.1', true, true, false), leaving, broken] });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1');
    await cluster.slice('chat-1', { service: 'chat', endpoints: [leaving, broken] });
    await chat.shows('chat*1 10.0.0.2');
    await cluster.slice('chat-1', { service: 'chat', endpoints: [broken] });
    await chat.shows('Service chat has no ready endpoint (1 in 1 EndpointSlices)');
  });

  it('may name their ports each in its own way; a port that none has is named with those there are', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', {
      service: 'chat',
      endpoints: ['10.0.0.1'],
      ports: [
        { name: 'grpc', port: 1000 },
        { name: 'http', port: 1001 },
      ],
    });
    await cluster.slice('chat-2', { service: 'chat', endpoints: ['10.0.0.2'], ports: [{ name: 'grpc', port: 2000 }] });
    await using chat = await following(cluster, 'chat:grpc');
    await chat.shows('chat*1 10.0.0.1 10.0.0.2');
    const last = chat.told.at(-1) as { resolution: Resolution };
    expect(last.resolution.backends[0]!.endpoints.map(({ id }) => id)).toEqual(['10.0.0.1:1000', '10.0.0.2:2000']);
    await using missing = await following(cluster, 'chat:grcp');
    await until('an error', () => missing.shown.includes('Service chat has no port "grcp"'));
    expect(missing.shown).toContain('grpc (1000), http (1001)');
  });
});

describe('ServiceWeights', () => {
  it('are followed: effective before spec, weight 0 is none, a deleted one is even again', async () => {
    const cluster = await space();
    await cluster.slice('stable-1', { service: 'chat-stable', endpoints: ['10.0.0.1'] });
    await cluster.slice('canary-1', { service: 'chat-canary', endpoints: ['10.0.0.2'] });
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1', '10.0.0.2'] });
    const weights = (stable: number, canary: number) => [
      { service: 'chat-stable', weight: stable },
      { service: 'chat-canary', weight: canary },
    ];
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1 10.0.0.2');
    await cluster.weight('chat', { backends: weights(90, 10) });
    await chat.shows('chat-stable*90 10.0.0.1 | chat-canary*10 10.0.0.2');
    await cluster.weight('chat', { backends: weights(90, 10) }, { effective: weights(50, 50) });
    await chat.shows('chat-stable*50 10.0.0.1 | chat-canary*50 10.0.0.2');
    await cluster.weight('chat', { backends: weights(90, 10) }, { effective: weights(100, 0) });
    await chat.shows('chat-stable*100 10.0.0.1');
    await cluster.weight('chat', { backends: weights(90, 10) }, { effective: weights(-1, 10) });
    await chat.shows('chat-stable*90 10.0.0.1 | chat-canary*10 10.0.0.2');
    await cluster.deleteWeight('chat');
    await chat.shows('chat*1 10.0.0.1 10.0.0.2');
    // Nobody was told that there are no endpoints while the backends' slices were being read.
    expect(chat.told.filter((each) => 'error' in each)).toEqual([]);
  });
});

describe('slow start', () => {
  it('ramps up an endpoint that comes later, and none that was there first', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    await cluster.weight('chat', { slowStart: '500ms' });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1');
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1', '10.0.0.2'] });
    const shares = () =>
      chat.told.map((each) =>
        'error' in each ? [] : each.resolution.backends[0]!.endpoints.map(({ weight }) => weight),
      );
    await until('the share is full', () => shares().at(-1)!.join() === '10,10');
    expect(shares()[0]).toEqual([10]);
    expect(shares().every(([old]) => old === 10)).toBe(true);
    const young = shares()
      .slice(1)
      .map(([, share]) => share!);
    expect(young[0]).toBeLessThan(10);
    expect(young).toEqual([...new Set(young)].sort((a, b) => a - b));
  });
});

describe('a watch', () => {
  it('is one a Service and process, however many channels there are', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    const first = await follower(cluster).follow('chat');
    await first.shows('chat*1 10.0.0.1');
    for (let channel = 0; channel < 5; channel++) await first.follow('chat');
    await first.follow(`chat.${cluster.namespace}:grpc`);
    await until('all channels have an answer', () => first.told.length === 7);
    expect(first.lists('endpointslices')).toBe(1);
    expect(first.lists('serviceweights')).toBe(1);
  });

  it('that is told 410 Gone lists exactly once', async () => {
    await using proxy = await StallingProxy.to(api.port);
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    const config = kubeConfig(api, cluster.namespace, 'admin', proxy.url);
    const chat = await new Follower({ kubeConfig: () => config }).follow('chat');
    await chat.shows('chat*1 10.0.0.1');
    proxy.cut();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.2'] });
    await api.compact();
    proxy.mend();
    await chat.shows('chat*1 10.0.0.2');
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.3'] });
    await chat.shows('chat*1 10.0.0.3');
    expect(chat.failures('endpointslices 410')).toBe(1);
    expect(chat.lists('endpointslices')).toBe(2);
    chat.end();
  });

  it('that says nothing any more is noticed, and goes on where it was', async () => {
    await using proxy = await StallingProxy.to(api.port);
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    const config = kubeConfig(api, cluster.namespace, 'admin', proxy.url);
    const chat = await new Follower({ kubeConfig: () => config }).follow('chat');
    await chat.shows('chat*1 10.0.0.1');
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.2'] });
    await chat.shows('chat*1 10.0.0.2');
    proxy.stall();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.3'] });
    await chat.shows('chat*1 10.0.0.3');
    expect(chat.failures('endpointslices silent')).toBe(1);
    expect(chat.lists('endpointslices')).toBe(1);
    chat.end();
  });

  it('that is silent is noticed within a minute, and a server that is back within 5 s', () => {
    const { watchMs, graceMs, retryMinMs, retryMaxMs, connectMs } = defaultTiming;
    expect(retryMaxMs).toBeLessThan(5_000);
    expect(watchMs * 1.25 + 1_000 + graceMs + retryMinMs + connectMs).toBeLessThan(60_000);
  });

  it('outlives an API server that hangs, with the last list', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1');
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.2'] });
    await chat.shows('chat*1 10.0.0.2');
    api.pause();
    await until('the silence is noticed', () => chat.failures('endpointslices silent') === 1);
    expect(chat.shown).toBe('chat*1 10.0.0.2');
    api.resume();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.3'] });
    await chat.shows('chat*1 10.0.0.3');
    expect(chat.lists('endpointslices')).toBe(1);
  });

  it('waits for an API server that is away, with the last list, and sees changes when it is back', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    await using chat = await following(cluster, 'chat');
    await chat.shows('chat*1 10.0.0.1');
    await api.stop();
    const age = () =>
      chat.metrics.read('parley_discovery_list_age_seconds').get(`${cluster.namespace} chat endpointslices`)!;
    await until('the list has aged', () => age() > 2);
    expect(chat.told).toHaveLength(1);
    await api.start();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.2'] });
    await chat.shows('chat*1 10.0.0.2');
    expect(age()).toBeLessThan(2);
    expect(chat.lists('endpointslices')).toBe(1);
  });

  it('begins again after idle, and falls back on the last list when the API server is away', async () => {
    const cluster = await space();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    const chat = await follower(cluster).follow('chat');
    await chat.shows('chat*1 10.0.0.1');
    chat.end();
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.2'] });
    chat.told.length = 0;
    await chat.follow('chat');
    await chat.shows('chat*1 10.0.0.2');
    expect(chat.told).toHaveLength(1);
    chat.end();
    await api.stop();
    chat.told.length = 0;
    await chat.follow('chat');
    await chat.shows('chat*1 10.0.0.2');
    await api.start();
    chat.end();
  });

  it('names the API server that it cannot reach', async () => {
    const cluster = new Cluster(api, 'default');
    const config = kubeConfig(api, cluster.namespace, 'admin', 'https://127.0.0.1:1');
    const chat = await new Follower({ kubeConfig: () => config }).follow('chat');
    await until('an error', () =>
      chat.shown.includes('cannot list endpointslices in namespace default: connect ECONNREFUSED'),
    );
    chat.end();
  });

  it('names the verbs that the Role lacks, and goes on once it has them', async () => {
    const cluster = await space();
    const { namespace } = cluster;
    await cluster.slice('chat-1', { service: 'chat', endpoints: ['10.0.0.1'] });
    await using chat = await following(cluster, 'chat', 'reader');
    await chat.shows(
      `cannot list endpointslices in namespace ${namespace}: the Role needs list, watch on discovery.k8s.io/endpointslices`,
    );
    await api.kubectl([
      '-n',
      namespace,
      'create',
      'role',
      'discovery',
      '--verb=get,list,watch',
      '--resource=endpointslices.discovery.k8s.io',
    ]);
    await api.kubectl(['-n', namespace, 'create', 'rolebinding', 'discovery', '--role=discovery', '--group=readers']);
    // Without rights to the weights calls are shared evenly: that is no reason not to make them.
    await chat.shows('chat*1 10.0.0.1');
  });
});
