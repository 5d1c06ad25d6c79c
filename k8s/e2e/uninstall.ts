// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { describe, expect, test } from 'vitest';
import { helm, json, kubectl } from './cluster.ts';

describe('uninstall', () => {
  test('leaves volumes, CRDs and ChatRooms, and no finalizer hangs', async () => {
    const rooms = (await json(['get', 'chatrooms'])).items.length;
    expect(rooms).toBeGreaterThan(0);
    await helm(['uninstall', 'parley', '--wait', '--timeout', '300s']);
    const kinds =
      'deployments,statefulsets,services,serviceaccounts,roles,rolebindings,secrets,configmaps,jobs,poddisruptionbudgets,leases,servicemonitors,prometheusrules';
    const left = async () => {
      const { items } = await json(['get', kinds, '-l', 'app.kubernetes.io/part-of=parley']);
      return items.map((item: any) => `${item.kind}/${item.metadata.name}`);
    };
    await expect.poll(left, { timeout: 60_000 }).toEqual([]);
    const leases = await kubectl(['get', 'leases,secrets', '-o', 'name']);
    expect(leases).not.toMatch(/parley-operator|parley-keys/);
    const kept = (await json(['get', 'chatrooms'])).items;
    expect(kept.length).toBe(rooms);
    expect(kept.filter(({ metadata }: any) => metadata.finalizers?.length)).toEqual([]);
    expect((await json(['get', 'pvc'])).items.length).toBe(2);
    expect(await kubectl(['get', 'crds', '-o', 'name'])).toContain('chatrooms.parley.dev');
    await kubectl(['delete', 'chatrooms', '--all', '--timeout=60s']);
  });
});
