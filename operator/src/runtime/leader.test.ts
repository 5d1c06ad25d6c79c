import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { until } from '../testing/until.ts';
import type { ApiClient } from './client.ts';
import { type ElectionOptions, LeadershipLost, runElected, type Term } from './leader.ts';
import { silent } from './log.ts';
import { Reflector } from './reflector.ts';
import type { KubeObject } from './resource.ts';

const times = { leaseMs: 3_000, renewDeadlineMs: 2_000, retryMs: 300 };
const leasePath = '/apis/coordination.k8s.io/v1/namespaces/default/leases';

let cluster: Cluster;
let client: ApiClient;
let stops: AbortController[];
let runs: Promise<void>[];
let children: ChildProcess[];

sharedFixture(async (stack) => {
  cluster = stack.use(await startCluster());
  client = cluster.client();
});
beforeEach(() => {
  [stops, runs, children] = [[], [], []];
});
afterEach(async () => {
  for (const stop of stops) stop.abort();
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(runs);
});

/** Stands for election in this process; `terms` are those it led. */
function stand(name: string, identity: string, options: Partial<ElectionOptions> = {}) {
  const stop = new AbortController();
  const terms: Term[] = [];
  const run = runElected(
    { client, namespace: 'default', name, identity, ...times, ...options },
    stop.signal,
    async (term) => {
      terms.push(term);
      await new Promise((resolve) => term.signal.addEventListener('abort', resolve, { once: true }));
    },
  );
  stops.push(stop);
  runs.push(run);
  return { stop, terms, run, leads: () => until(`${identity} leads`, () => terms.at(-1)) };
}

/** Stands for election in a process of its own, which writes as long as it leads. */
function spawnElected(identity: string): ChildProcess {
  const argument = JSON.stringify({ kubeConfig: cluster.api.kubeConfig(), identity, ...times });
  const script = new URL('../testing/elected.ts', import.meta.url).pathname;
  const child = spawn(process.execPath, [script, argument], { stdio: ['ignore', 'ignore', 'inherit'] });
  children.push(child);
  return child;
}

const lease = async (name: string) => (await cluster.api.request('GET', `${leasePath}/${name}`)).body;

test('one leads, and the other as soon as the first gives the Lease back', async () => {
  const first = stand('given-back', 'first');
  const { fence } = await first.leads();
  const second = stand('given-back', 'second');
  expect((await lease('given-back')).spec).toMatchObject({ holderIdentity: 'first', leaseDurationSeconds: 3 });
  expect(second.terms).toEqual([]);
  first.stop.abort();
  await first.run;
  const term = await second.leads();
  expect(term.fence).toBeGreaterThan(fence);
  expect((await lease('given-back')).spec.leaseTransitions).toBe(term.fence);
});

test('a write after the term has ended is refused', async () => {
  const leader = stand('ended', 'only');
  const term = await leader.leads();
  term.check();
  leader.stop.abort();
  expect(() => term.check()).toThrow(LeadershipLost);
  const fenced = client.fenced(term.check);
  await expect(fenced.request({ method: 'POST', path: '/api/v1/namespaces', body: {} })).rejects.toThrow(
    LeadershipLost,
  );
});

test('a leader whose Lease another took stops, and does not take it back while it is held', async () => {
  const leader = stand('taken', 'old');
  const term = await leader.leads();
  const spec = { holderIdentity: 'new', leaseTransitions: term.fence + 1, leaseDurationSeconds: 3600 };
  const contentType = 'application/merge-patch+json';
  const taken = await cluster.api.request('PATCH', `${leasePath}/taken`, { body: { spec }, contentType });
  expect(taken.status).toBe(200);
  await until('the term ended', () => term.signal.aborted);
  expect(String(term.signal.reason)).toContain('held by new');
  expect(leader.terms).toHaveLength(1);
});

test('an API server that answers no more ends the term at the renew deadline', async () => {
  const leader = stand('silent', 'only');
  const term = await leader.leads();
  cluster.api.pause();
  try {
    await until('the term ended', () => term.signal.aborted);
    expect(() => term.check()).toThrow(/not renewed for 2000 ms/);
  } finally {
    cluster.api.resume();
  }
  await until('it leads again', () => leader.terms.length === 2);
});

test('the fence is raised by the holder alone', async () => {
  const leader = stand('raised', 'holder');
  const term = await leader.leads();
  await term.raiseFence(41);
  expect(term.fence).toBe(41);
  expect((await lease('raised')).spec.leaseTransitions).toBe(41);
  await term.raiseFence(7);
  expect(term.fence).toBe(41);
  leader.stop.abort();
  await leader.run;
  await expect(term.raiseFence(50)).rejects.toThrow(LeadershipLost);
});

test('who may not have the Lease says so, with the verb and the resource', async () => {
  const warnings: string[] = [];
  const log = { ...silent, warn: (fields: object) => warnings.push((fields as { error: string }).error) };
  const nobody = cluster.client({ user: 'nobody' });
  stand('forbidden', 'nobody', { client: nobody, log });
  await until('a warning', () => warnings.length > 0);
  expect(warnings[0]).toMatch(/cannot get resource "leases"/);
});

test('a renew deadline that is no shorter than the lease is refused', async () => {
  const never = new AbortController().signal;
  const options = { client, namespace: 'default', name: 'x', identity: 'x', leaseMs: 5_000, renewDeadlineMs: 5_000 };
  await expect(runElected(options, never, async () => {})).rejects.toThrow(/renewDeadlineMs is 5000.*below leaseMs/);
});

/** What leaders wrote into the ConfigMap, in order. */
function watchWrites() {
  const writers: { writer: string; fence: number }[] = [];
  const watching = new AbortController();
  stops.push(watching);
  const reflector = new Reflector<KubeObject & { data?: Record<string, string> }>({
    client,
    resource: { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', namespaced: true },
    namespace: 'default',
    fieldSelector: 'metadata.name=written-by',
  });
  reflector.onChange(({ type, object }) => {
    if (type === 'added' || type === 'modified') {
      writers.push({ writer: object.data!['writer']!, fence: Number(object.data!['fence']) });
    }
  });
  runs.push(reflector.run(watching.signal));
  const writes = (writer: string, timeoutMs?: number) =>
    until(`${writer} writes`, () => writers.at(-1)?.writer === writer, timeoutMs);
  return { writers, writes };
}

test('a leader that is killed is followed; one that is stopped and resumed writes nothing', async () => {
  const { writers, writes } = watchWrites();
  const first = spawnElected('first');
  await writes('first');
  const second = spawnElected('second');
  first.kill('SIGSTOP');
  await writes('second');
  const stopped = writers.length;
  first.kill('SIGCONT');
  // It runs again, for it takes over when the second is killed; between the two it wrote nothing.
  await until('many writes of the second', () => writers.length > stopped + 20);
  second.kill('SIGKILL');
  await once(second, 'exit');
  await writes('first');

  const turns = writers.filter(({ writer }, i) => writer !== writers[i - 1]?.writer);
  expect(turns.map(({ writer }) => writer)).toEqual(['first', 'second', 'first']);
  const fences = turns.map(({ fence }) => fence);
  expect([...fences].sort((a, b) => a - b)).toEqual(fences);
  expect(new Set(fences).size).toBe(3);
});
