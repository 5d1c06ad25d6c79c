import { setTimeout as delay } from 'node:timers/promises';

/**
 * Waits until the condition gives something other than undefined or false, and returns it.
 * @throws after `timeoutMs`, with what was waited for and what was last thrown
 */
export async function until<T>(
  what: string,
  condition: () => Promise<T | undefined | false> | T | undefined | false,
  timeoutMs = 20_000,
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  let last: unknown;
  while (performance.now() < deadline) {
    try {
      const value = await condition();
      if (value !== undefined && value !== false) return value as T;
    } catch (error) {
      last = error;
    }
    await delay(20);
  }
  throw new Error(`${what} did not happen within ${timeoutMs} ms`, { cause: last });
}
