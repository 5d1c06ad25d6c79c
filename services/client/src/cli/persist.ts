import { setTimeout as pause } from 'node:timers/promises';
import { backoffMs } from '../backoff.ts';
import { isPassing, ParleyError } from '../problem.ts';

/** Repeats a request that carries a key until it is answered for good, for as long as the server asks and no longer. */
export async function persist<Answer>(request: () => Promise<Answer>, forMs = 30_000): Promise<Answer> {
  const end = Date.now() + forMs;
  for (let attempt = 0; ; attempt++) {
    try {
      return await request();
    } catch (error) {
      if (!(error instanceof ParleyError) || !isPassing(error.code)) throw error;
      const waitMs = error.details.retryAfterMs ?? backoffMs(attempt);
      if (Date.now() + waitMs > end) throw error;
      await pause(waitMs);
    }
  }
}
