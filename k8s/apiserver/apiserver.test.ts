import { readFile } from 'node:fs/promises';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ApiServer, startApiServer } from './index.ts';

let api: ApiServer;
beforeAll(async () => {
  api = await startApiServer({ users: { reader: ['people'] }, flags: ['--watch-cache=false'], audit: true });
});
afterAll(() => api?.[Symbol.asyncDispose]());

const configMap = (name: string) => ({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } });
const configMaps = '/api/v1/namespaces/default/configmaps';

test('client-node reaches it as admin', async () => {
  const config = new KubeConfig();
  config.loadFromOptions(api.kubeConfig());
  const namespaces = await config.makeApiClient(CoreV1Api).listNamespace();
  expect(namespaces.items.map((namespace) => namespace.metadata?.name)).toContain('default');
});

test('kubectl applies what it is given', async () => {
  await api.kubectl(['apply', '-f', '-'], JSON.stringify(configMap('applied')));
  expect((await api.request('GET', `${configMaps}/applied`)).status).toBe(200);
  await expect(api.kubectl(['get', 'configmap', 'absent'])).rejects.toThrow('NotFound');
});

test('another user may do only what a Role allows, and the audit log says who asked', async () => {
  const token = api.tokenOf('reader');
  expect((await api.request('GET', configMaps, { token })).status).toBe(403);
  await api.kubectl(['create', 'role', 'reader', '--verb=list', '--resource=configmaps']);
  await api.kubectl(['create', 'rolebinding', 'reader', '--role=reader', '--group=people']);
  // The authorizer learns of a new Role through a watch.
  await expect.poll(async () => (await api.request('GET', configMaps, { token })).status).toBe(200);
  await expect.poll(async () => (await readFile(api.auditLog, 'utf8')).includes('"username":"reader"')).toBe(true);
  expect(() => api.tokenOf('nobody')).toThrow('user nobody is unknown');
});

test('while paused it answers nothing, and resumed it answers what was asked', async () => {
  api.pause();
  let answered = false;
  const asked = api.request('GET', '/readyz').finally(() => {
    answered = true;
  });
  // etcd is another process: its answer shows that time has passed.
  await fetch(`${api.etcdUrl}/health`);
  expect(answered).toBe(false);
  api.resume();
  expect((await asked).status).toBe(200);
});

test('stopped and started again it has the same address and data', async () => {
  await api.request('POST', configMaps, { body: configMap('kept') });
  await api.stop();
  await expect(api.request('GET', '/readyz')).rejects.toThrow('ECONNREFUSED');
  await api.start();
  expect((await api.request('GET', `${configMaps}/kept`)).status).toBe(200);
});

test('after a compaction a watch from an older version is gone', async () => {
  const before = await api.request('GET', configMaps);
  await api.request('POST', configMaps, { body: configMap('newer') });
  expect(Number(await api.compact())).toBeGreaterThan(Number(before.body.metadata.resourceVersion));
  const since = `resourceVersion=${before.body.metadata.resourceVersion}`;
  const watch = await api.request('GET', `${configMaps}?watch=true&timeoutSeconds=5&${since}`);
  expect(watch.body.code ?? watch.body.object?.code).toBe(410);
});

test('a flag that it refuses is told with the end of its log', async () => {
  await expect(startApiServer({ flags: ['--no-such-flag'] })).rejects.toThrow('unknown flag: --no-such-flag');
});
