import type { Logger } from './log.ts';

/**
 * Does `work` again and again, `everyMs` after it was done, until disposed of; a failure is logged and the next time comes.
 * Disposing waits for the work that is under way.
 */
export function repeat(
  name: string,
  everyMs: number,
  log: Logger,
  work: () => Promise<void>,
): AsyncDisposable & { soon(): void } {
  let stopped = false;
  let again = false;
  let timer: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const run = () => {
    timer = undefined;
    again = false;
    running = work()
      .catch((err) => log.warn({ work: name, err: err instanceof Error ? err.message : err }, 'work.failed'))
      .finally(() => {
        running = undefined;
        if (!stopped) timer = setTimeout(run, again ? 0 : everyMs);
      });
  };
  timer = setTimeout(run, 0);
  return {
    /** Not in its time but now, or once more after what is under way. */
    soon() {
      if (stopped || again) return;
      again = true;
      if (running === undefined) {
        clearTimeout(timer);
        timer = setTimeout(run, 0);
      }
    },
    async [Symbol.asyncDispose]() {
      stopped = true;
      clearTimeout(timer);
      await running;
    },
  };
}
