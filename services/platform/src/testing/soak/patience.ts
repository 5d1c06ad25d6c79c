/** Waiting that always ends. */
import { setTimeout as sleep } from 'node:timers/promises';
import { isPassing } from '@parley/client';

/** Some milliseconds, or until the signal. */
export function pause(ms: number, signal?: AbortSignal): Promise<void> {
  return sleep(ms, undefined, { signal }).catch(() => undefined);
}

/** Looks again and again. @returns whether it became true in time */
export async function becomes(condition: () => boolean | Promise<boolean>, withinMs: number): Promise<boolean> {
  for (const end = Date.now() + withinMs; Date.now() < end; await pause(250)) if (await condition()) return true;
  return false;
}

/** @throws Error that names what took longer */
export async function within<T>(ms: number, what: string, work: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`${what} takes longer than ${ms / 1000} s`)), ms);
  try {
    return await Promise.race([work, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks again while the answer is that one should. @throws what it was answered at last */
export async function patiently<T>(ms: number, ask: () => Promise<T>): Promise<T> {
  for (const end = Date.now() + ms; ; await pause(500)) {
    try {
      return await ask();
    } catch (error) {
      if (Date.now() > end || !isPassing((error as { code: string }).code)) throw error;
    }
  }
}
