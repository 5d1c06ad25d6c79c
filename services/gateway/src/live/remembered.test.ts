import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Remembered } from './remembered.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

test('an answer is good for 5 s and is not kept for longer', async () => {
  const remembered = new Remembered<number>();
  let asked = 0;
  const get = (key: string) => remembered.get(key, async () => ++asked);
  for (let n = 0; n < 100; n++) await get(`old ${n}`);
  vi.advanceTimersByTime(3000);
  expect([await get('old 0'), await get('new'), await get('new')]).toEqual([1, 101, 101]);
  vi.advanceTimersByTime(2001);
  expect(await get('new')).toBe(101);
  expect(remembered.size).toBe(1);
  expect(await get('old 0')).toBe(102);
});

test('a question that failed is asked again', async () => {
  const remembered = new Remembered<string>();
  await expect(remembered.get('a', () => Promise.reject(new Error('away')))).rejects.toThrow('away');
  expect(await remembered.get('a', async () => 'here')).toBe('here');
});
