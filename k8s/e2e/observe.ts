// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { randomBytes } from 'node:crypto';
import { describe, test } from 'vitest';
import { http, inCluster, isReady, json, kubectl, pods, register } from './cluster.ts';

describe.concurrent('what Prometheus and Jaeger see', () => {
  test("every ServiceMonitor's targets are up, and a query returns our traffic", async ({ expect }) => {
    const ada = await register();
    await expect
      .poll(async () => (await pods('app.kubernetes.io/name=prometheus')).map(isReady), { timeout: 120_000 })
      .toEqual([true]);
    const { items } = await json(['get', 'servicemonitors']);
    expect(items.length).toBe(6);
    const up = async () => {
      const { data } = await inCluster('prometheus-operated', 9090, '/api/v1/targets?state=active').catch(() => ({
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
        (await inCluster('prometheus-operated', 9090, `/api/v1/query?query=${query}`)).data.result[0]?.value[1] ?? 0,
      );
    await expect.poll(value, { timeout: 30_000 }).toBeGreaterThanOrEqual(20);
    const rules = (await inCluster('prometheus-operated', 9090, '/api/v1/rules')).data.groups.flatMap((group: any) =>
      group.rules.map((rule: any) => rule.name),
    );
    expect(rules).toContain('ParleyTargetDown');
    await kubectl(['delete', 'prometheus', 'test']);
  });

  test("one message's trace goes from the gateway to the store", async ({ expect }) => {
    await kubectl(['wait', '--for=condition=Ready', 'pod/jaeger', '--timeout=90s']);
    const ada = await register();
    // Of most calls no trace is taken; of one that belongs to a trace it is.
    const trace = randomBytes(16).toString('hex');
    const said = await http('POST', '/v1/rooms/general/messages', { content: 'follow me' }, ada.token, {
      traceparent: `00-${trace}-${randomBytes(8).toString('hex')}-01`,
    });
    expect(said.status).toBe(200);
    const services = async () => {
      const { data } = await inCluster('jaeger', 16686, `/api/traces/${trace}`).catch(() => ({ data: [] }));
      return (data ?? []).flatMap(({ spans, processes }: any) =>
        spans.map((span: any) => `${processes[span.processID].serviceName}: ${span.operationName}`),
      );
    };
    await expect
      .poll(services, { timeout: 90_000 })
      .toEqual(
        expect.arrayContaining([
          'parley-chat: chat.ChatService/SendMessage',
          'parley-gateway: chat.ChatService/SendMessage',
        ]),
      );
    await kubectl(['delete', 'pod/jaeger', 'service/jaeger', '--wait=false']);
  });
});
