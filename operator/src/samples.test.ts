import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Cluster, startCluster } from './testing/cluster.ts';

const samples = new URL('../../k8s/samples/', import.meta.url).pathname;

let cluster: Cluster;
beforeAll(async () => {
  cluster = await startCluster();
}, 90_000);
afterAll(() => cluster?.[Symbol.asyncDispose]());

test('every sample is one that the API server takes', async () => {
  const files = (await readdir(samples)).filter((name) => name.endsWith('.yaml'));
  expect(files.length).toBeGreaterThanOrEqual(4);
  for (const file of files) {
    const applied = await cluster.api.kubectl([
      'apply',
      '--server-side',
      '--dry-run=server',
      '-f',
      `${samples}${file}`,
    ]);
    expect(applied, file).toContain('serverside-applied');
  }
});
