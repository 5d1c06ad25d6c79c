import { emptyRoom, reduce } from '@parley/client';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';

const stored = new Map<string, string>();
beforeAll(() => {
  vi.stubGlobal('location', { hash: '' });
  vi.stubGlobal('sessionStorage', {
    getItem: (name: string) => stored.get(name) ?? null,
    setItem: (name: string, value: string) => stored.set(name, value),
    removeItem: (name: string) => stored.delete(name),
  });
});
afterAll(() => vi.unstubAllGlobals());

test('what was refused outlives a reload as refused, and what was on its way as such', async () => {
  const { change } = await import('./store.ts');
  const { keepUnsent, takeUnsent } = await import('./unsent.ts');
  const error = { code: 'PERMISSION_DENIED', message: 'you are muted' };
  let room = reduce(emptyRoom('den', '7'), { kind: 'queued', key: 'k1', content: 'in anger', at: 1 });
  room = reduce(room, { kind: 'failed', key: 'k1', error });
  room = reduce(room, { kind: 'queued', key: 'k2', content: 'on the way', at: 2 });
  change({ me: { userId: '7', username: 'bob', guest: false }, open: new Map([['den', room]]) });
  keepUnsent();
  expect(takeUnsent('7')).toEqual([
    { roomId: 'den', key: 'k1', content: 'in anger', at: 1, error },
    { roomId: 'den', key: 'k2', content: 'on the way', at: 2 },
  ]);
  expect(takeUnsent('7')).toEqual([]);
});
