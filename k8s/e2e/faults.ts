import { describe, expect, test } from 'vitest';
import { apply, chart, helm, http, kubectl, podsOf, register, room, tryHelm, tryKubectl } from './cluster.ts';
import { contents, traffic } from './traffic.ts';

describe('faults', () => {
  test('a pod of chat is killed three times under load: nothing acknowledged is lost or repeated', async () => {
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

  test('a wrong database password is told by the pod, which does not crash again and again', async () => {
    const url = 'postgres://parley:wrong@parley-postgresql:5432/parley';
    await tryKubectl(['create', 'secret', 'generic', 'wrong', `--from-literal=url=${url}`]);
    const off = ['order', 'payment', 'gateway', 'chat'].flatMap((name) => ['--set', `${name}.replicas=0`]);
    const given = [
      '--set',
      'image.tag=e2e,crds.enabled=false,operator.enabled=false,redis.enabled=false,postgresql.existingSecret=wrong,user.replicas=1',
      ...off,
    ];
    await helm(['install', 'broken', chart, ...given]);
    const pod = async () =>
      await kubectl([
        'get',
        'pods',
        '-l',
        'app.kubernetes.io/instance=broken,app.kubernetes.io/component=user',
        '-o',
        'jsonpath={.items[0].metadata.name}',
      ]);
    await expect
      .poll(async () => (await tryKubectl(['logs', await pod(), '-c', 'migrate'])).out, { timeout: 60_000 })
      .toMatch(/DATABASE_URL.*password authentication failed/);
    const restarts = await kubectl([
      'get',
      'pod',
      await pod(),
      '-o',
      'jsonpath={.status.initContainerStatuses[0].restartCount}',
    ]);
    expect(Number(restarts)).toBe(0);
    await tryHelm(['uninstall', 'broken', '--wait', '--timeout', '90s']);
    await kubectl(['delete', 'secret', 'wrong']);
  });
});
