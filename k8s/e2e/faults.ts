import { describe, expect, test } from 'vitest';
import {
  apply,
  chart,
  condition,
  events,
  helm,
  http,
  kubectl,
  pods,
  podsOf,
  register,
  resource,
  room,
  tryKubectl,
  weights,
} from './cluster.ts';
import { contents, traffic } from './traffic.ts';

describe('faults', () => {
  test('the leader is killed, chat is killed meanwhile, and a new room becomes ready all the same', async () => {
    const lease = await resource('leases', 'parley-operator');
    const leader = String(lease.spec.holderIdentity).split('_')[0] as string;
    const [chat] = await podsOf('chat', 'stable');
    await kubectl(['delete', 'pod', leader, chat as string, '--grace-period=0', '--force', '--wait=false']);
    await apply(room('after-the-storm'));
    await expect
      .poll(() => condition('after-the-storm', 'Ready').then((c) => c?.status), { timeout: 60_000 })
      .toBe('True');
    const ada = await register();
    await expect
      .poll(
        async () => (await http('POST', '/v1/rooms/after-the-storm/messages', { content: 'calm' }, ada.token)).status,
      )
      .toBe(200);
    // What comes next kills others: first these are back.
    for (const [component, track] of [['chat', 'stable'], ['operator']] as const)
      await expect.poll(async () => (await podsOf(component, track)).length, { timeout: 90_000 }).toBe(2);
  });

  // These three at once: the last two mostly wait, for pods that nobody calls.
  test.concurrent('a pod of chat is killed three times under load: nothing acknowledged is lost or repeated', async ({
    expect,
  }) => {
    const { token } = await register();
    await apply(room('killed', 'retention: {maxMessages: 20000}'));
    await expect.poll(async () => (await http('GET', '/v1/rooms/killed', undefined, token)).status).toBe(200);
    const load = traffic('killed', token, 4, true);
    for (let round = 1; round <= 3; round++) {
      const target = load.acknowledged.length + 60;
      await expect.poll(() => load.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(target);
      const [pod] = await podsOf('chat', 'stable');
      await kubectl(['delete', 'pod', pod as string, '--grace-period=0', '--force', '--wait=false']);
      await expect.poll(async () => (await podsOf('chat', 'stable')).length, { timeout: 90_000 }).toBe(2);
    }
    await load.stop();
    const kept = await contents('killed', token);
    expect(load.acknowledged.length).toBeGreaterThan(180);
    expect(load.acknowledged.filter((content) => !kept.includes(content))).toEqual([]);
    expect(kept.length).toBe(new Set(kept).size);
    console.log(
      `3 pods killed: ${load.acknowledged.length} acknowledged, all kept once; ${load.failures.length} of ${load.calls} calls failed meanwhile`,
    );
  });

  test.concurrent('a canary becomes unwell, and its rollout goes back by itself', async ({ expect }) => {
    const steps =
      '  rollout:\n    backend: parley-chat-canary\n    steps: [{weight: 10, pause: 600s}, {weight: 100}]\n';
    await apply(weights(100, 0, steps));
    const rollout = async () => (await resource('serviceweights', 'parley-chat')).status?.rollout;
    await expect.poll(rollout, { timeout: 60_000 }).toMatchObject({ step: 1, phase: 'Progressing' });
    await kubectl(['scale', 'deployment/parley-chat-canary', '--replicas=0']);
    await expect.poll(async () => (await rollout()).phase, { timeout: 120_000 }).toBe('Aborted');
    const { token } = await register();
    expect((await http('GET', '/v1/rooms', undefined, token)).status).toBe(200);
    expect(await events()).toMatch(/parley-chat .*Abort/);
    await kubectl(['delete', 'sw', 'parley-chat']);
  });

  test.concurrent('a missing Secret, and then a wrong password in it, is told by the pod, which does not crash again and again', async ({
    expect,
  }) => {
    const off = ['order', 'payment', 'gateway', 'chat'].flatMap((name) => ['--set', `${name}.replicas=0`]);
    const given = [
      '--set',
      'image.tag=e2e,crds.enabled=false,operator.enabled=false,redis.enabled=false,postgresql.existingSecret=database,user.replicas=1',
      ...off,
    ];
    await helm(['install', 'broken', chart, ...given]);
    const user = 'app.kubernetes.io/instance=broken,app.kubernetes.io/component=user';
    const migrate = async () => (await pods(user))[0]?.status.initContainerStatuses?.[0];
    await expect
      .poll(async () => (await migrate())?.state.waiting?.message, { timeout: 60_000 })
      .toContain('secret "database" not found');

    // The pod goes on by itself once the Secret is there.
    const url = 'postgres://parley:wrong@parley-postgresql:5432/parley';
    await kubectl(['create', 'secret', 'generic', 'database', `--from-literal=url=${url}`]);
    await expect
      .poll(async () => (await tryKubectl(['logs', '-l', user, '-c', 'migrate'])).out, { timeout: 60_000 })
      .toMatch(/DATABASE_URL.*password authentication failed/);
    expect((await migrate()).restartCount).toBe(0);
    await helm(['uninstall', 'broken', '--wait', '--timeout', '90s']);
    await kubectl(['delete', 'secret', 'database']);
  });

  test('Redis is killed: sending goes on when it is back, and what was acknowledged is there', async () => {
    const { token } = await register();
    await apply(room('redis', 'retention: {maxMessages: 20000}'));
    await expect.poll(async () => (await http('GET', '/v1/rooms/redis', undefined, token)).status).toBe(200);
    const load = traffic('redis', token, 2, true);
    await expect.poll(() => load.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(30);
    await kubectl(['delete', 'pod', 'parley-redis-0', '--grace-period=0', '--force', '--wait=false']);
    const target = load.acknowledged.length + 60;
    await expect.poll(() => load.acknowledged.length, { timeout: 120_000 }).toBeGreaterThan(target);
    await load.stop();
    const kept = await contents('redis', token);
    expect(load.acknowledged.filter((content) => !kept.includes(content))).toEqual([]);
    expect(kept.length).toBe(new Set(kept).size);
  });
});
