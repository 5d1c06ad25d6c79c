import { readFile } from 'node:fs/promises';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { type ApiServer, lendApiServer, startApiServer } from './index.ts';

let api: ApiServer;
sharedFixture(async (stack) => {
  api = stack.use(await startApiServer({ users: { reader: ['people'] }, flags: ['--watch-cache=false'], audit: true }));
});

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

test('one that is given back is lent again, empty, and takes the same definitions anew', async () => {
  const group = '/apis/example.com/v1/namespaces/default/things';
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions';
  const definition = (field: string) => ({
    metadata: { name: 'things.example.com' },
    spec: {
      group: 'example.com',
      scope: 'Namespaced',
      names: { kind: 'Thing', plural: 'things' },
      versions: [
        {
          name: 'v1',
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: 'object', properties: { [field]: { type: 'string' } } } },
        },
      ],
    },
  });
  const keep = async (lent: ApiServer, field: string) => {
    expect((await lent.request('POST', definitions, { body: definition(field) })).status).toBe(201);
    await expect.poll(async () => (await lent.request('GET', group)).body.items).toEqual([]);
    const thing = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name: 'kept', finalizers: ['a.b/c'] } };
    const made = await lent.request('POST', group, { body: { ...thing, [field]: 'kept' } });
    expect(made.body[field]).toBe('kept');
    const ports = [{ port: 80, nodePort: 30080 }];
    const service = { metadata: { name: 'kept' }, spec: { type: 'NodePort', ports } };
    for (const query of ['?dryRun=All', '']) {
      const served = await lent.request('POST', `/api/v1/namespaces/default/services${query}`, { body: service });
      expect(served.body.spec?.ports[0].nodePort, served.body.message).toBe(30080);
    }
  };
  const first = await lendApiServer();
  await first.request('POST', configMaps, { body: configMap('left') });
  await first.request('POST', '/api/v1/namespaces', { body: { metadata: { name: 'left' } } });
  await keep(first, 'one');
  await first[Symbol.asyncDispose]();

  await using second = await lendApiServer();
  expect(second.url).toBe(first.url);
  expect((await second.request('GET', `${configMaps}/left`)).status).toBe(404);
  expect((await second.request('GET', '/api/v1/namespaces/left')).status).toBe(404);
  await keep(second, 'two');
  await using third = await lendApiServer();
  expect(third.url).not.toBe(second.url);
});
