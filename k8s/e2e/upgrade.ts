import { describe, expect, test } from 'vitest';
import { apply, helm, http, register, release, resource, room } from './cluster.ts';
import { contents, listener, traffic } from './traffic.ts';

const image = async () => (await resource('deployments', 'parley-gateway')).spec.template.spec.containers[0].image;

describe('upgrade', () => {
  test('to another image and back, under traffic: no failed call, nothing lost, and a listener hears all of it once', async () => {
    const { token } = await register();
    await apply(room('moving', 'retention: {maxMessages: 20000}'));
    await expect.poll(async () => (await http('GET', '/v1/rooms/moving', undefined, token)).status).toBe(200);
    const ear = listener('moving', token);
    const load = traffic('moving', token, 3);
    await expect.poll(() => load.calls, { timeout: 60_000 }).toBeGreaterThan(50);
    await release('upgrade', 'image.tag=e2e-next');
    expect(await image()).toBe('parley:e2e-next');
    await helm(['rollback', 'parley', '--wait', '--timeout', '300s']);
    expect(await image()).toBe('parley:e2e');
    const target = load.calls + 50;
    await expect.poll(() => load.calls, { timeout: 60_000 }).toBeGreaterThan(target);
    await load.stop();
    console.log(`upgrade and rollback: ${load.failures.length} of ${load.calls} calls failed`);
    expect(load.failures).toEqual([]);
    const kept = await contents('moving', token);
    expect(load.acknowledged.filter((content) => !kept.includes(content))).toEqual([]);
    expect(kept.length).toBe(new Set(kept).size);
    await expect.poll(() => ear.heard.length, { timeout: 30_000 }).toBeGreaterThanOrEqual(kept.length);
    ear.stop();
    console.log(`the listener was moved ${ear.moved} times and heard ${ear.heard.length} messages`);
    expect(ear.heard).toEqual(kept);
    expect(ear.moved).toBeGreaterThan(0);
    expect(ear.lost).toBe(0);
  }, 1_200_000);
});
