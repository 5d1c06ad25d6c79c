import { setMaxListeners } from 'node:events';
import { isApiError } from './api-error.ts';
import { failureLevel, type Logger, silent } from './log.ts';
import type { Metrics } from './metrics.ts';
import { monotonicMs } from './timing.ts';
import type { WorkQueue } from './workqueue.ts';

/** What a reconcile asks for besides: to be called again in a while. */
export interface Result {
  requeueAfterMs?: number;
}

/**
 * Brings the world closer to what the object of this key says. Called again, later and later, when it throws.
 * @param signal aborts when this process shall stop or no longer leads
 */
export type Reconcile = (key: string, signal: AbortSignal) => Promise<Result | undefined>;

/** Thrown by a reconcile that would fail again until the object changes: it is not retried. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

export interface ControllerOptions {
  name: string;
  queue: WorkQueue;
  reconcile: Reconcile;
  /** Keys worked on at once; a key has never two workers. */
  concurrency?: number;
  log?: Logger;
  metrics?: Metrics;
}

/**
 * Works a queue off until the signal aborts, and resolves once every worker is done with what it had in hand. Never
 * rejects: what a reconcile throws is logged, counted and retried.
 */
export async function runController(options: ControllerOptions, signal: AbortSignal): Promise<void> {
  const { name, concurrency = 4, metrics } = options;
  setMaxListeners(0, signal);
  metrics?.maxWorkers.set({ controller: name }, concurrency);
  metrics?.activeWorkers.set({ controller: name }, 0);
  // From the start, as controller-runtime: the first error is an increase, too.
  for (const result of ['success', 'error', 'requeue_after']) metrics?.reconciles.inc({ controller: name, result }, 0);
  metrics?.reconcileErrors.inc({ controller: name }, 0);
  metrics?.terminalErrors.inc({ controller: name }, 0);
  await Promise.all(Array.from({ length: concurrency }, () => work(options, signal)));
}

async function work({ name, queue, reconcile, metrics, log = silent }: ControllerOptions, signal: AbortSignal) {
  for (let key = await queue.take(signal); key !== undefined; key = await queue.take(signal)) {
    const begun = monotonicMs();
    metrics?.activeWorkers.inc({ controller: name });
    let outcome: 'success' | 'error' | 'requeue_after';
    try {
      const result = await reconcile(key, signal);
      queue.forget(key);
      outcome = result?.requeueAfterMs === undefined ? 'success' : 'requeue_after';
      if (result?.requeueAfterMs !== undefined) queue.addAfter(key, result.requeueAfterMs);
    } catch (error) {
      outcome = 'error';
      if (signal.aborted) {
        // The next leader begins with every key; this process, if it leads again, with this one.
        queue.add(key);
      } else {
        retry(error, key, { name, queue, metrics, log });
      }
    }
    metrics?.activeWorkers.dec({ controller: name });
    metrics?.reconciles.inc({ controller: name, result: outcome });
    metrics?.reconcileSeconds.observe({ controller: name }, (monotonicMs() - begun) / 1000);
    queue.done(key);
  }
}

function retry(
  error: unknown,
  key: string,
  { name, queue, metrics, log }: { name: string; queue: WorkQueue; metrics: Metrics | undefined; log: Logger },
): void {
  const final = error instanceof TerminalError;
  metrics?.reconcileErrors.inc({ controller: name });
  if (final) metrics?.terminalErrors.inc({ controller: name });
  else queue.addRateLimited(key);
  const failures = queue.failures(key);
  // A conflict is how it should be: the object has changed, and the retry sees it as it is.
  const level = isApiError(error, 409) ? 'debug' : failureLevel(failures);
  log[level]({ controller: name, key, failures, final, error: String(error) }, 'reconcile.failed');
}
