import { expect, test } from 'vitest';
import { RateLimit } from './rate-limit.ts';

const refused = (limit: RateLimit, caller: string, now: number) => {
  try {
    limit.take(caller, now);
    return undefined;
  } catch (error) {
    return error as { code: string; details: { retryAfterMs: number } };
  }
};

test('a flood is RESOURCE_EXHAUSTED with when to try again, and others are unaffected', () => {
  const limit = new RateLimit('messages', 10, 3);
  for (let i = 0; i < 3; i++) expect(refused(limit, 'ann', 1000)).toBeUndefined();
  const error = refused(limit, 'ann', 1000);
  expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED', details: { retryAfterMs: 100 } });
  expect(refused(limit, 'ben', 1000)).toBeUndefined();
  expect(refused(limit, 'ann', 1000 + error!.details.retryAfterMs)).toBeUndefined();
});
