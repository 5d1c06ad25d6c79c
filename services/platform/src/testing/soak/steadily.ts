/** Begins something at a steady rate, however long each takes. */
import { becomes, pause } from './patience.ts';
import type { Tally } from './tally.ts';

/** More at a time would only pile up behind a fault. */
const mostAtOnce = 500;
/** Whoever gives up does so earlier. */
const lastOnesWithinMs = 150_000;

/** Until the signal. Resolves when all that was begun has ended; what it throws is written down as wrong. */
export async function steadily(
  what: string,
  perSecond: number,
  begin: (number: number) => Promise<void>,
  tally: Tally,
  signal: AbortSignal,
): Promise<void> {
  const running = new Set<Promise<void>>();
  const startedAt = performance.now();
  let number = 0;
  let skipped = 0;
  while (!signal.aborted) {
    const due = Math.floor(((performance.now() - startedAt) / 1000) * perSecond);
    while (number + skipped < due) {
      if (running.size >= mostAtOnce) {
        skipped++;
        continue;
      }
      const one = begin(number++)
        .catch((error) => tally.wrong(`${what}: ${error.message}`))
        .finally(() => running.delete(one));
      running.add(one);
    }
    await pause(Math.min(1000 / perSecond, 200), signal);
  }
  if (!(await becomes(() => running.size === 0, lastOnesWithinMs))) tally.wrong(`${what}: ${running.size} never ended`);
}
