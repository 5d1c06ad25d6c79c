import { setTimeout as sleep } from 'node:timers/promises';
import type { RpcClient } from '@parley/kit';
import { describe, expect, test } from 'vitest';
import { apply, channel, controlPlane, kubectl, metric, podsOf, register, resource, weights } from './cluster.ts';
import { traffic } from './traffic.ts';

/** So many calls to chat over one channel, 20 at once. @returns how many there were */
async function call(chat: RpcClient<'chat.ChatService'>, calls: number): Promise<number> {
  for (let sent = 0; sent < calls; sent += 20)
    await Promise.all(Array.from({ length: 20 }, () => chat.listRooms({ page_size: 1 })));
  return calls;
}

/** What share of these calls came to the canary. */
async function canaryShare(calls: () => Promise<number>): Promise<number> {
  const handled = async (track: string) => {
    const counts = await Promise.all(
      (await podsOf('chat', track)).map((pod) =>
        metric(pod, 'grpc_server_handled_total', { grpc_method: 'ListRooms' }),
      ),
    );
    return counts.reduce((sum, count) => sum + count, 0);
  };
  const before = { stable: await handled('stable'), canary: await handled('canary') };
  const sent = await calls();
  const after = {
    stable: (await handled('stable')) - before.stable,
    canary: (await handled('canary')) - before.canary,
  };
  expect(after.stable + after.canary).toBe(sent);
  return after.canary / sent;
}

/** Does this while the API server stands still, for 20 s. */
async function withoutApiServer<Result>(work: () => Promise<Result>): Promise<Result> {
  await controlPlane(['pkill', '-STOP', 'kube-apiserver']);
  // Less than the 50 s after which nodes that cannot report are taken for dead; discovery's own tests have the minutes.
  const back = sleep(20_000).then(() => controlPlane(['pkill', '-CONT', 'kube-apiserver']));
  try {
    return await work();
  } finally {
    await back;
    await expect
      .poll(() => kubectl(['get', 'nodes', '-o', 'name']).catch(() => ''), { timeout: 60_000 })
      .toContain('worker');
  }
}

describe('weights as resources', () => {
  test('a canary gets 10 in 100, then 50, then 10 again, also while the API server stands still; no call fails', async () => {
    const { token } = await register();
    using gateway = channel(() => token);
    const chat = gateway.client('chat.ChatService');
    const effective = async () =>
      (await resource('serviceweights', 'parley-chat')).status?.effective?.map(
        ({ weight }: { weight: number }) => weight,
      );
    const weigh = async (stable: number, canary: number) => {
      await apply(weights(stable, canary));
      const changed = performance.now();
      await expect.poll(effective, { timeout: 30_000, interval: 0 }).toEqual([stable, canary]);
      // The gateway's channel has heard of it once a share says so.
      await expect
        .poll(() => canaryShare(() => call(chat, 40)), { timeout: 30_000, interval: 0 })
        .toBeCloseTo(canary / 100, 1);
      return ((performance.now() - changed) / 1000).toFixed(1);
    };
    await weigh(90, 10);
    // An upper bound: looking takes most of it.
    console.log(`50/50 was there within ${await weigh(50, 50)} s of the change, with the looking`);
    const half = await canaryShare(() => call(chat, 1000));
    console.log(`50/50 over 1,000 calls: ${(half * 100).toFixed(2)} %`);
    expect(Math.abs(half - 0.5)).toBeLessThanOrEqual(0.01);

    await weigh(90, 10);
    const others = traffic('general', token, 2);
    const share = await canaryShare(() => withoutApiServer(() => call(chat, 10_000)));
    await others.stop();
    console.log(`90/10 over 10,000 calls: ${(share * 100).toFixed(2)} % came to the canary`);
    console.log(`API server away for 20 s: ${others.failures.length} of ${others.calls} other calls failed`);
    expect(Math.abs(share - 0.1)).toBeLessThanOrEqual(0.01);
    expect(others.failures).toEqual([]);
    expect(others.calls).toBeGreaterThan(100);
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
    const status = async () => (await resource('serviceweights', 'parley-chat')).status;
    await expect
      .poll(async () => (await status())?.rollout?.phase, { timeout: 60_000 })
      .toMatch(/Complete|Succeeded|Done/i);
    expect(
      (await status()).effective.find(({ service }: { service: string }) => service === 'parley-chat-canary').weight,
    ).toBeGreaterThan(0);
  });
});
