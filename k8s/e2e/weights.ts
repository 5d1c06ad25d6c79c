import type { RpcClient } from '@parley/kit';
import { describe, expect, test } from 'vitest';
import { apply, channel, http, json, kubectl, metric, podsOf, register, upgrade } from './cluster.ts';

const weights = (stable: number, canary: number, rollout = '') => `
apiVersion: parley.dev/v1alpha1
kind: ServiceWeight
metadata: {name: parley-chat}
spec:
  service: parley-chat
  port: grpc
  slowStart: 0s
  backends:
    - {service: parley-chat-stable, weight: ${stable}}
    - {service: parley-chat-canary, weight: ${canary}}
${rollout}`;

/** What share of so many calls over one channel came to the canary. */
async function canaryShare(calls: number, chat: RpcClient<'chat.ChatService'>): Promise<number> {
  const handled = async (track: string) => {
    const counts = await Promise.all(
      (await podsOf('chat', track)).map((pod) =>
        metric(pod, 'grpc_server_handled_total', { grpc_method: 'ListRooms' }),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = { stable: await handled('stable'), canary: await handled('canary') };
  for (let sent = 0; sent < calls; sent += 20)
    await Promise.all(Array.from({ length: 20 }, () => chat.listRooms({ page_size: 1 })));
  const after = {
    stable: (await handled('stable')) - before.stable,
    canary: (await handled('canary')) - before.canary,
  };
  expect(after.stable + after.canary).toBe(calls);
  return after.canary / calls;
}

describe('weights as resources', () => {
  test('a canary gets 10 in 100, then 50 in 100, with no failed call', async () => {
    await upgrade('chat.canary.enabled=true');
    const { token } = await register();
    using gateway = channel(() => token);
    const chat = gateway.client('chat.ChatService');
    await apply(weights(90, 10));
    const effective = async () =>
      (await json(['get', 'sw', 'parley-chat'])).status?.effective?.map(({ weight }: { weight: number }) => weight);
    await expect.poll(effective, { timeout: 30_000 }).toEqual([90, 10]);
    // The gateway's channel has heard of it once a share says so.
    await expect.poll(() => canaryShare(100, chat), { timeout: 30_000 }).toBeCloseTo(0.1, 1);
    const share = await canaryShare(10_000, chat);
    console.log(`90/10 over 10,000 calls: ${(share * 100).toFixed(2)} % came to the canary`);
    expect(Math.abs(share - 0.1)).toBeLessThanOrEqual(0.01);
    await apply(weights(50, 50));
    const changed = performance.now();
    await expect.poll(() => canaryShare(40, chat), { timeout: 30_000, interval: 0 }).toBeCloseTo(0.5, 1);
    // An upper bound: looking takes most of it.
    console.log(
      `50/50 was there within ${((performance.now() - changed) / 1000).toFixed(1)} s of the change, with the looking`,
    );
    const half = await canaryShare(1000, chat);
    console.log(`50/50 over 1,000 calls: ${(half * 100).toFixed(2)} %`);
    expect(Math.abs(half - 0.5)).toBeLessThanOrEqual(0.01);
  });

  test('kubectl get sw says what is in force', async () => {
    expect(await kubectl(['get', 'sw', 'parley-chat'])).toContain('parley-chat');
  });

  test('a rollout goes forward by itself while the canary is healthy', async () => {
    await apply(
      weights(
        100,
        0,
        '  rollout:\n    backend: parley-chat-canary\n    steps: [{weight: 25, pause: 3s}, {weight: 100}]\n',
      ),
    );
    const status = async () => (await json(['get', 'sw', 'parley-chat'])).status;
    await expect
      .poll(async () => (await status())?.rollout?.phase, { timeout: 60_000 })
      .toMatch(/Complete|Succeeded|Done/i);
    expect(
      (await status()).effective.find(({ service }: { service: string }) => service === 'parley-chat-canary').weight,
    ).toBeGreaterThan(0);
  });

  test('a rollout goes back by itself when the canary becomes unwell', async () => {
    const steps =
      '  rollout:\n    backend: parley-chat-canary\n    steps: [{weight: 10, pause: 600s}, {weight: 100}]\n';
    await apply(weights(100, 0, steps));
    const rollout = async () => (await json(['get', 'sw', 'parley-chat'])).status?.rollout;
    await expect.poll(rollout, { timeout: 60_000 }).toMatchObject({ step: 1, phase: 'Progressing' });
    await kubectl(['scale', 'deployment/parley-chat-canary', '--replicas=0']);
    await expect.poll(async () => (await rollout()).phase, { timeout: 120_000 }).toBe('Aborted');
    const { token } = await register();
    expect((await http('GET', '/v1/rooms', undefined, token)).status).toBe(200);
    const events = await kubectl([
      'get',
      'events.events.k8s.io',
      '-o',
      'jsonpath={range .items[*]}{.regarding.name} {.reason}{"\\n"}{end}',
    ]);
    expect(events).toMatch(/parley-chat .*Abort/);
    await kubectl(['delete', 'sw', 'parley-chat']);
    await upgrade();
  });
});
