import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ApiServer, lendApiServer } from '@parley/apiserver';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { until } from '../testing/until.ts';

const backups = '/apis/example.com/v1/namespaces/backups/backups';

let api: ApiServer;
let folder: string;
let operator: ChildProcess | undefined;
sharedFixture(async (stack) => {
  folder = await mkdtemp(join(tmpdir(), 'parley-example-'));
  stack.defer(() => rm(folder, { recursive: true, force: true }));
  api = stack.use(await lendApiServer());
  stack.defer(() => void operator?.kill('SIGKILL'));
  await post('/api/v1/namespaces', { metadata: { name: 'backups' } });
  await post('/apis/apiextensions.k8s.io/v1/customresourcedefinitions', {
    metadata: { name: 'backups.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Backup', plural: 'backups', singular: 'backup' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          subresources: { status: {} },
          schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
        },
      ],
    },
  });
  await until('backups are served', async () => (await api.request('GET', backups)).status === 200);
});

async function post(path: string, body: object): Promise<void> {
  const answer = await api.request('POST', path, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
}

/** The program in the README, with its imports as somebody outside of this folder has them. */
async function example(): Promise<string> {
  const readme = await readFile(new URL('README.md', import.meta.url), 'utf8');
  const program = /^```ts\n(.+?)^```$/ms.exec(readme)![1]!;
  const file = join(folder, 'example.ts');
  const index = new URL('index.ts', import.meta.url).href;
  const client = import.meta.resolve('@kubernetes/client-node');
  await writeFile(
    file,
    program.replace("'./index.ts'", `'${index}'`).replace("'@kubernetes/client-node'", `'${client}'`),
  );
  return file;
}

test('the example in the README is an operator', async () => {
  const env = { PATH: process.env['PATH'], KUBECONFIG: api.kubeconfigFile };
  operator = spawn(process.execPath, [await example()], { env, stdio: ['ignore', 'inherit', 'inherit'] });
  await post(backups, {
    apiVersion: 'example.com/v1',
    kind: 'Backup',
    metadata: { name: 'nightly' },
    spec: { schedule: 'at night' },
  });
  await until('the backup is Ready', async () => {
    const { body } = await api.request('GET', `${backups}/nightly`);
    return body.status?.conditions?.[0]?.message === 'at night';
  });
  const exit = once(operator, 'exit');
  operator.kill('SIGTERM');
  expect(await exit).toEqual([0, null]);
  const lease = await api.request('GET', '/apis/coordination.k8s.io/v1/namespaces/backups/leases/backup-operator');
  expect(lease.body.spec.holderIdentity).toBe('');
});
