// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { describe, expect, test } from 'vitest';
import {
  apply,
  chart,
  helm,
  http,
  kubectl,
  namespace,
  pods,
  register,
  release,
  room,
  tryHelm,
  tryKubectl,
  values,
  watchers,
} from './cluster.ts';

describe('install', () => {
  test('begins in an empty namespace of restricted pods', async () => {
    await tryKubectl(['delete', 'chatrooms,serviceweights', '--all', '--timeout=60s']);
    await tryHelm(['uninstall', 'parley', '--wait', '--timeout', '300s']);
    await kubectl(['delete', 'namespace', namespace, '--ignore-not-found', '--wait', '--timeout=300s']);
    await kubectl(['create', 'namespace', namespace]);
    await kubectl(['label', 'namespace', namespace, 'pod-security.kubernetes.io/enforce=restricted']);
    await kubectl([
      'create',
      'secret',
      'generic',
      'parley-admin',
      '--from-literal=username=root',
      '--from-literal=password=correct horse',
    ]);
    // Prometheus and Jaeger, who are asked much later, start along with the release.
    await kubectl(['apply', '-f', watchers]);
  });

  test.each([
    ['gateway.service.nodePort=80', 'nodePort'],
    ['user.replicas=-1', 'user/replicas'],
    ['auth.mode=maybe', 'auth/mode'],
    ['chat.canary.enbled=true', 'enbled'],
  ])('%s is refused with the name of the value', async (bad, name) => {
    const { code, out } = await tryHelm(['install', 'parley', chart, '-f', values, '--set', bad]);
    expect(code).not.toBe(0);
    expect(out).toContain(name);
  });

  test('helm install, and the first message from outside', async () => {
    const begun = performance.now();
    // With the canary that weights.ts is about; without a ServiceWeight it is one more pod of chat.
    await release('install', 'chat.canary.enabled=true');
    const installed = performance.now();
    await apply(room('general'));
    const ada = await register();
    await expect
      .poll(async () => (await http('POST', '/v1/rooms/general/messages', { content: 'first!' }, ada.token)).status, {
        timeout: 60_000,
      })
      .toBe(200);
    const seconds = (until: number) => ((until - begun) / 1000).toFixed(0);
    console.log(
      `helm install took ${seconds(installed)} s; the first message from outside came after ${seconds(performance.now())} s`,
    );
  });

  test('pods have a service account token only where they watch something', async () => {
    const mounting = (await pods('app.kubernetes.io/instance=parley'))
      .filter((pod) => pod.spec.volumes.some((volume: any) => volume.name.startsWith('kube-api-access')))
      .map((pod) => pod.metadata.labels['app.kubernetes.io/component']);
    expect([...new Set(mounting)].sort()).toEqual(['chat', 'gateway', 'operator', 'order', 'payment']);
  });
});

// What follows, up to rooms as resources, is done at once: most of it waits.
describe.concurrent('installed', () => {
  test('helm test', async ({ expect }) => {
    expect(await helm(['test', 'parley', '--timeout', '300s'])).toContain('Phase:          Succeeded');
  });
});
