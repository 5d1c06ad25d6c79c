import { describe, expect, test } from 'vitest';
import { apply, chart, helm, http, kubectl, pods, podsOf, register, room, tryKubectl } from './cluster.ts';
import { contents, traffic } from './traffic.ts';

describe('faults', () => {
  // These two at once: they are two releases, and mostly wait.
  test.concurrent('a pod of chat is killed three times under load: nothing acknowledged is lost or repeated', async () => {
    const { token } = await register();
    await apply(room('killed', 'retention: {maxMessages: 20000}'));
    await expect.poll(async () => (await http('GET', '/v1/rooms/killed', undefined, token)).status).toBe(200);
    const load = traffic('killed', token, 4, true);
    for (let round = 1; round <= 3; round++) {
      const target = load.acknowledged.length + 60;
      await expect.poll(() => load.acknowledged.length, { timeout: 60_000 }).toBeGreaterThan(target);
      const [pod] = await podsOf('chat');
      await kubectl(['delete', 'pod', pod as string, '--grace-period=0', '--force', '--wait=false']);
      await expect.poll(async () => (await podsOf('chat')).length, { timeout: 90_000 }).toBe(2);
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

  test.concurrent('a missing Secret, and then a wrong password in it, is told by the pod, which does not crash again and again', async () => {
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
