// biome-ignore-all lint/suspicious/noExplicitAny: manifests are looked at, not typed.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { KubeConfig } from '@kubernetes/client-node';
import { type ApiServer, lendApiServer } from '@parley/apiserver';
import { silentLog } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { releaseFinalizers } from '@parley/operator/release';
import { leaderRules, releaseRules, watchRules } from '@parley/operator/rules';
import { ApiClient } from '@parley/operator/runtime/client';
import { beforeAll, describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { readable } from './golden.ts';
import { chart, helm, parseYaml, podsOf, render, resources, template, valueSets } from './rendering.ts';

const golden = (name: string) => join(import.meta.dirname, 'golden', `${name}.yaml`);
const rendered = new Map<string, string>();
beforeAll(async () => {
  for (const [name, values] of Object.entries(valueSets)) rendered.set(name, await render(values));
});

describe('what is rendered', () => {
  test('passes helm lint', async () => {
    const { code, out } = await helm(['lint', '--strict', '--kube-version', '1.34.4', chart]);
    expect(code, out).toBe(0);
  });

  // UPDATE_GOLDEN=1 writes the files.
  test.each(Object.keys(valueSets))('%s is as its golden file has it', (name) => {
    const text = readable(name, rendered);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden(name), text);
    expect(text).toBe(readFileSync(golden(name), 'utf8'));
  });

  test.each(Object.entries(valueSets))('%s is the same when it is rendered twice', async (name, values) => {
    expect(await render(values)).toBe(rendered.get(name));
  });

  test.each(Object.keys(valueSets))('%s has no empty line where an include was empty', (name) => {
    expect(rendered.get(name)).not.toMatch(/^[ \t]+$/m);
  });

  test('another image or chart version does not restart PostgreSQL and Redis', async () => {
    const stores = (text: string) =>
      resources(text)
        .filter(({ kind }) => kind === 'StatefulSet')
        .map(({ spec }) => spec);
    const next = stores(await render({ image: { tag: 'next' } }));
    expect(next).toEqual(stores(rendered.get('defaults')!));
    expect(JSON.stringify(next)).not.toContain('helm.sh/chart');
  });

  test("the operator's Roles are the rules that it is tested with", () => {
    const all = resources(rendered.get('defaults')!);
    const rules = (name: string) => all.find((r) => r.kind === 'Role' && r.metadata.name === name).rules;
    expect(rules('parley-operator')).toEqual(watchRules);
    expect(rules('parley-operator-leader')).toEqual(expect.arrayContaining(leaderRules));
    expect(rules('parley-uninstall')).toEqual(releaseRules);
  });
});

describe('a real API server', () => {
  let api: ApiServer;
  sharedFixture(async (stack) => {
    api = stack.use(await lendApiServer());
    const levels = {
      'pod-security.kubernetes.io/enforce': 'restricted',
      'pod-security.kubernetes.io/warn': 'restricted',
    };
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'parley', labels: levels } };
    await api.kubectl(['apply', '-f', '-'], [namespace, ...foreignDefinitions].map((r) => stringify(r)).join('---\n'));
    await api.kubectl(['wait', '--for=condition=Established', 'crd', '--all', '--timeout=60s']);
  });

  test.each(Object.keys(valueSets))('takes every manifest of %s, without a warning', async (name) => {
    const flags = ['--server-side', '--dry-run=server', '--validate=strict', '--warnings-as-errors'];
    const taken = await api.kubectl(['apply', ...flags, '-n', 'parley', '-f', '-'], rendered.get(name));
    expect(taken.trim().split('\n').length).toBe(resources(rendered.get(name)!).length);
  });

  const dryRun = '/api/v1/namespaces/parley/pods?dryRun=All&fieldValidation=Strict';
  const create = (pod: object) => api.request('POST', dryRun, { body: pod });

  test.each(Object.keys(valueSets))('lets every pod of %s into a namespace of restricted pods', async (name) => {
    const pods = podsOf(resources(rendered.get(name)!));
    for (const pod of pods) expect(await create(pod)).toMatchObject({ status: 201 });
    for (const container of pods.flatMap(({ spec }) => [...spec.containers, ...(spec.initContainers ?? [])])) {
      expect(container.securityContext.readOnlyRootFilesystem).toBe(true);
      expect(Object.keys(container.resources.requests)).toEqual(['cpu', 'memory']);
    }
  });

  test('takes names that YAML would read as something else, and an image by its digest', async () => {
    await api.kubectl(['create', 'namespace', '1234']);
    const { out } = await helm(['template', 'true', chart, '-n', '1234', '--kube-version', '1.34.4'], {
      image: { tag: `1.0@sha256:${'0'.repeat(64)}`, pullSecrets: ['7'] },
      auth: { existingSecret: '123' },
      admin: { existingSecret: 'true' },
      postgresql: { existingSecret: '0' },
      redis: { storageClass: '1' },
      gateway: { ingress: { enabled: true, className: '5', tlsSecret: '42' } },
      serviceMonitor: { enabled: true },
      networkPolicy: { enabled: true },
    });
    const taken = await api.kubectl(['apply', '--server-side', '--dry-run=server', '-n', '1234', '-f', '-'], out);
    expect(taken.trim().split('\n').length).toBe(resources(out).length);
  });

  test('that knows no rooms, since the first install has failed, lets an uninstall pass', async () => {
    const config = new KubeConfig();
    config.loadFromFile(api.kubeconfigFile);
    const client = new ApiClient(config);
    const options = { client, namespace: 'parley', watchNamespace: 'parley', identity: 'uninstall', noticeMs: 1 };
    expect(await releaseFinalizers({ ...options, log: silentLog }, new AbortController().signal)).toBe(0);
    await client.close();
  });

  test('would not let a pod in that may become root', async () => {
    const [pod] = podsOf(resources(rendered.get('defaults')!));
    delete pod.spec.securityContext.runAsNonRoot;
    expect((await create(pod)).body.message).toContain('runAsNonRoot');
  });

  test('gets notes that say how to reach Parley', async () => {
    const notes = async (values: object) => {
      const args = ['install', 'parley', chart, '--kubeconfig', api.kubeconfigFile, '-n', 'parley', '--dry-run=client'];
      return (await helm(args, values)).out.split('NOTES:')[1];
    };
    expect(await notes({})).toContain('port-forward svc/parley-gateway 8080:8080 50051:50051');
    expect(await notes(valueSets['public']!)).toContain('get svc parley-gateway');
    expect(await notes(valueSets['node-port']!)).toMatch(/port 30080 of any node[\s\S]*port 30051 of any node/);
    expect(await notes(valueSets['database-only']!)).toContain('auth.mode is open');
  });
});

describe('values', () => {
  const schema = JSON.parse(readFileSync(join(chart, 'values.schema.json'), 'utf8'));
  const text = readFileSync(join(chart, 'values.yaml'), 'utf8');

  test.each<[object, string]>([
    [{ image: { pullPolicy: 'Sometimes' } }, 'image.pullPolicy'],
    [{ auth: { mode: 'maybe' } }, 'auth.mode'],
    [{ auth: { existingSecret: 'Not A Name' } }, 'auth.existingSecret'],
    [{ rooms: { mode: 'closed' } }, 'rooms.mode'],
    [{ logLevel: 'loud' }, 'logLevel'],
    [{ tracing: { endpoint: 'jaeger:4317' } }, 'tracing.endpoint'],
    [{ env: { 'NOT-A-NAME': '1' } }, 'NOT-A-NAME'],
    [{ env: { LIST: ['a'] } }, 'env.LIST'],
    [{ chat: { env: { REDIS_URL: 'redis://cache' } } }, 'use the value redis.existingSecret'],
    [{ user: { env: { PARLEY_CHAT_ADDRESS: 'mesh:1' } } }, 'env.PARLEY_CHAT_ADDRESS is not to be set'],
    [{ env: { PARLEY_METRICS_PORT: 9191 } }, 'env.PARLEY_METRICS_PORT is not to be set'],
    [{ drainSeconds: -1 }, 'drainSeconds'],
    [{ user: { replicas: -1 } }, 'user.replicas'],
    [{ chat: { replicas: '2' } }, 'chat.replicas'],
    [{ order: { resources: { requests: { memory: 'lots' } } } }, 'order.resources.requests.memory'],
    [{ payment: { autoscaling: { targetCPU: 0 } } }, 'payment.autoscaling.targetCPU'],
    [{ chat: { maxUnavailable: 'half' } }, 'chat.maxUnavailable'],
    [{ chat: { maxUnavailable: '150%' } }, 'chat.maxUnavailable'],
    [{ gateway: { service: { type: 'ExternalName' } } }, 'gateway.service.type'],
    [{ gateway: { service: { nodePort: 80 } } }, 'gateway.service.nodePort'],
    [{ gateway: { service: { grpcNodePort: 40000 } } }, 'gateway.service.grpcNodePort'],
    [{ gateway: { service: { nodePort: 30080, grpcNodePort: 30080 } } }, 'gateway.service.grpcNodePort are both 30080'],
    [{ gateway: { allowedOrigins: ['example.com'] } }, 'gateway.allowedOrigins.0'],
    [{ gateway: { trustedProxies: ['everybody'] } }, 'gateway.trustedProxies.0'],
    [{ gateway: { ingress: { host: 'https://chat.example.com' } } }, 'gateway.ingress.host'],
    [{ redis: { appendfsync: 'never' } }, 'redis.appendfsync'],
    [{ postgresql: { storage: '2 GB' } }, 'postgresql.storage'],
    [{ postgresql: { storage: 0 } }, 'postgresql.storage'],
    [{ operator: { prometheusUrl: 'prometheus' } }, 'operator.prometheusUrl'],
    [{ chat: { canary: { enbled: true } } }, 'enbled'],
    [{ postgres: { enabled: false } }, 'postgres'],
    [{ postgresql: { enabled: false } }, 'postgresql.existingSecret is empty'],
    [{ user: { autoscaling: { enabled: true, minReplicas: 20 } } }, 'user.autoscaling.minReplicas is 20'],
  ])('%j is refused with the name of the value', async (values, name) => {
    const { code, out } = await template(values);
    expect(code).not.toBe(0);
    // Before 3.18 Helm wrote user.replicas for /user/replicas.
    expect(out.replaceAll('/', '.')).toContain(name);
  });

  test.each(['1st', 'my.release', 'r'.repeat(49)])('the release name %s is refused', async (name) => {
    const { code, out } = await helm(['template', name, chart, '--kube-version', '1.34.4']);
    expect(code).not.toBe(0);
    expect(out).toContain(`the release's name is "${name}"`);
  });

  test('a large number is a setting as it was written', async () => {
    const rendered = await render({ chat: { env: { PARLEY_CHAT_QUEUE_BYTES: 2_097_152, RATIO: 0.5, FLAG: true } } });
    for (const value of ['PARLEY_CHAT_QUEUE_BYTES, value: "2097152"', 'RATIO, value: "0.5"', 'FLAG, value: "true"'])
      expect(rendered).toContain(value);
  });

  test('proxies are believed where the chart puts one in front, or where they are named', async () => {
    const believed = async (gateway: object) =>
      /PARLEY_TRUSTED_PROXIES, value: "(.*)"/.exec(await render({ gateway }))?.[1];
    expect(await believed({})).toBeUndefined();
    expect(await believed({ ingress: { enabled: true } })).toBe('uniquelocal');
    expect(await believed({ trustedProxies: ['10.0.0.0/8', 'loopback'] })).toBe('10.0.0.0/8,loopback');
  });

  test('the schema knows the defaults exactly, and refuses every other key', () => {
    const compare = (values: any, { properties, additionalProperties }: any, path: string): void => {
      if (!properties) return;
      expect(additionalProperties, path).toBe(false);
      // Helm itself adds `global`.
      const known = Object.keys(properties).filter((key) => key !== 'global');
      expect(known.sort(), path).toEqual(Object.keys(values).sort());
      for (const [key, value] of Object.entries(values))
        if (!path.endsWith('resources')) compare(value, properties[key], `${path}.${key}`);
    };
    compare(parseYaml(text), schema, 'values');
  });

  test('every value has a comment above it', () => {
    const lines = text.split('\n');
    const bare = lines.filter((line, i) => {
      const isValue = /^ {0,4}[A-Za-z]+:/.test(line) && !/^ +(requests|limits):/.test(line);
      return isValue && !lines[i - 1]?.trim().startsWith('#');
    });
    expect(bare).toEqual([]);
  });
});

/** Resources that others define: taken with whatever they hold. */
const foreignDefinitions = [
  ['monitoring.coreos.com', 'ServiceMonitor', 'servicemonitors'],
  ['monitoring.coreos.com', 'PrometheusRule', 'prometheusrules'],
  ['gateway.networking.k8s.io', 'HTTPRoute', 'httproutes'],
].map(([group, kind, plural]) => ({
  apiVersion: 'apiextensions.k8s.io/v1',
  kind: 'CustomResourceDefinition',
  metadata: {
    name: `${plural}.${group}`,
    // The API server wants to know who approved a definition in Kubernetes' own groups.
    annotations: { 'api-approved.kubernetes.io': 'unapproved, for a test' },
  },
  spec: {
    group,
    scope: 'Namespaced',
    names: { kind, plural, singular: kind!.toLowerCase() },
    versions: [
      {
        name: 'v1',
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
      },
    ],
  },
}));
