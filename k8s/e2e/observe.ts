// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { describe, expect, test } from 'vitest';
import { apply, http, json, kubectl, namespace, register } from './cluster.ts';

const restricted = `securityContext: {allowPrivilegeEscalation: false, runAsNonRoot: true, capabilities: {drop: [ALL]}, seccompProfile: {type: RuntimeDefault}}`;
const service = async (name: string, port: number, path: string) =>
  JSON.parse(await kubectl(['get', '--raw', `/api/v1/namespaces/${namespace}/services/${name}:${port}/proxy${path}`]));

describe('what Prometheus and Jaeger see', () => {
  test("every ServiceMonitor's targets are up, and a query returns our traffic", async () => {
    await apply(`
apiVersion: v1
kind: ServiceAccount
metadata: {name: prometheus}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: prometheus}
rules:
  - {apiGroups: [''], resources: [services, endpoints, pods], verbs: [get, list, watch]}
  - {apiGroups: [discovery.k8s.io], resources: [endpointslices], verbs: [get, list, watch]}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: prometheus}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: prometheus}
subjects: [{kind: ServiceAccount, name: prometheus, namespace: ${namespace}}]
---
apiVersion: monitoring.coreos.com/v1
kind: Prometheus
metadata: {name: test}
spec:
  version: v3.16.0
  image: quay.io/prometheus/prometheus:v3.16.0
  imagePullPolicy: IfNotPresent
  serviceAccountName: prometheus
  serviceMonitorSelector: {}
  ruleSelector: {}
  securityContext: {runAsNonRoot: true, runAsUser: 65534, fsGroup: 65534, seccompProfile: {type: RuntimeDefault}}
`);
    const ada = await register();
    await expect
      .poll(
        () =>
          kubectl([
            'get',
            'pods',
            '-l',
            'app.kubernetes.io/name=prometheus',
            '-o',
            'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}',
          ]).catch(() => ''),
        { timeout: 120_000 },
      )
      .toBe('True');
    const { items } = await json(['get', 'servicemonitors']);
    expect(items.length).toBe(6);
    const up = async () => {
      const { data } = await service('prometheus-operated', 9090, '/api/v1/targets?state=active').catch(() => ({
        data: { activeTargets: [] },
      }));
      const jobs = new Map<string, string[]>();
      for (const target of data.activeTargets)
        jobs.set(target.labels.job, [...(jobs.get(target.labels.job) ?? []), target.health]);
      return Object.fromEntries([...jobs].map(([job, health]) => [job, [...new Set(health)].join()]));
    };
    const all = ['user', 'chat', 'order', 'payment', 'gateway', 'operator'];
    await expect.poll(up, { timeout: 90_000 }).toEqual(Object.fromEntries(all.map((name) => [`parley-${name}`, 'up'])));
    for (let i = 0; i < 20; i++) await http('GET', '/v1/users', undefined, ada.token);
    const query = encodeURIComponent('sum(grpc_server_handled_total{grpc_method="ListUsers",grpc_code="OK"})');
    const value = async () =>
      Number(
        (await service('prometheus-operated', 9090, `/api/v1/query?query=${query}`)).data.result[0]?.value[1] ?? 0,
      );
    await expect.poll(value, { timeout: 30_000 }).toBeGreaterThanOrEqual(20);
    const rules = (await service('prometheus-operated', 9090, '/api/v1/rules')).data.groups.flatMap((group: any) =>
      group.rules.map((rule: any) => rule.name),
    );
    expect(rules).toContain('ParleyTargetDown');
    await kubectl(['delete', 'prometheus', 'test']);
  });

  test("one message's trace goes from the gateway to the store", async () => {
    await apply(`
apiVersion: v1
kind: Pod
metadata: {name: jaeger, labels: {app: jaeger}}
spec:
  securityContext: {runAsNonRoot: true, runAsUser: 65534}
  containers:
    - name: jaeger
      image: jaegertracing/jaeger-all-in-one:1.76.0
      imagePullPolicy: IfNotPresent
      env: [{name: COLLECTOR_OTLP_ENABLED, value: 'true'}]
      ports: [{containerPort: 4318}, {containerPort: 16686}]
      readinessProbe: {httpGet: {path: /, port: 16686}, periodSeconds: 1}
      ${restricted}
---
apiVersion: v1
kind: Service
metadata: {name: jaeger}
spec:
  selector: {app: jaeger}
  ports: [{name: otlp, port: 4318}, {name: query, port: 16686}]
`);
    await kubectl(['wait', '--for=condition=Ready', 'pod/jaeger', '--timeout=90s']);
    const ada = await register();
    const spans = async () => {
      await http('POST', '/v1/rooms/general/messages', { content: 'follow me' }, ada.token);
      const { data } = await service(
        'jaeger',
        16686,
        '/api/traces?service=parley-gateway&limit=200&lookback=10m',
      ).catch(() => ({ data: [] }));
      const whole = (data ?? []).find((trace: any) =>
        trace.spans.some((span: any) => span.operationName === 'chat.ChatService/SendMessage'),
      );
      return whole
        ? [...new Set(whole.spans.map((span: any) => whole.processes[span.processID].serviceName))].sort()
        : [];
    };
    await expect
      .poll(spans, { timeout: 90_000, interval: 2000 })
      .toEqual(expect.arrayContaining(['parley-chat', 'parley-gateway']));
    await kubectl(['delete', 'pod/jaeger', 'service/jaeger', '--wait=false']);
  });
});
