import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { runController } from './controller.ts';
import { createMetrics } from './metrics.ts';
import { WorkQueue } from './workqueue.ts';

beforeEach(() => vi.useFakeTimers());
afterEach(() => vi.useRealTimers());

test('a key that is added twice waits once', async () => {
  const queue = new WorkQueue('q');
  queue.add('a');
  queue.add('a');
  queue.add('b');
  expect(await queue.take()).toBe('a');
  expect(await queue.take()).toBe('b');
  expect(queue.depth).toBe(0);
});

test('a key that is added while it is worked on waits until that is done', async () => {
  const queue = new WorkQueue('q');
  queue.add('a');
  await queue.take();
  queue.add('a');
  queue.add('a');
  expect(queue.depth).toBe(0);
  queue.done('a');
  expect(queue.depth).toBe(1);
  expect(await queue.take()).toBe('a');
  queue.done('a');
  expect(queue.idle).toBe(true);
});

test('a key that fails comes back after waits that double up to the longest, and at once after forget', async () => {
  const queue = new WorkQueue('q', { retry: { baseMs: 100, maxMs: 1_000, perSecond: 1_000, burst: 1_000 } });
  for (let i = 0; i < 6; i++) {
    queue.addRateLimited('a');
    const taken = queue.take();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(await taken).toBe('a');
    queue.done('a');
  }
  expect(queue.failures('a')).toBe(6);
  queue.addRateLimited('a');
  await vi.advanceTimersByTimeAsync(999);
  expect(queue.depth).toBe(0);
  await vi.advanceTimersByTimeAsync(1);
  expect(queue.depth).toBe(1);
  queue.forget('a');
  expect(queue.failures('a')).toBe(0);
});

test('retries of all keys together keep to the rate', async () => {
  const queue = new WorkQueue('q', { retry: { baseMs: 1, maxMs: 10, perSecond: 10, burst: 5 } });
  for (let i = 0; i < 25; i++) queue.addRateLimited(`key-${i}`);
  await vi.advanceTimersByTimeAsync(50);
  expect(queue.depth).toBe(5);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(queue.depth).toBeGreaterThanOrEqual(14);
  expect(queue.depth).toBeLessThanOrEqual(16);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(queue.depth).toBe(25);
});

test('of two delays the shorter counts, and an add ends both', async () => {
  const queue = new WorkQueue('q');
  queue.addAfter('a', 1_000);
  queue.addAfter('a', 100);
  queue.addAfter('a', 500);
  await vi.advanceTimersByTimeAsync(100);
  expect(await queue.take()).toBe('a');
  queue.done('a');
  queue.addAfter('a', 1_000);
  queue.add('a');
  expect(await queue.take()).toBe('a');
  queue.done('a');
  await vi.advanceTimersByTimeAsync(5_000);
  expect(queue.idle).toBe(true);
});

test('a delay longer than a timer can be does not fire at once', async () => {
  const queue = new WorkQueue('q');
  queue.addAfter('a', 2 ** 31 + 5_000);
  await vi.advanceTimersByTimeAsync(2 ** 31 - 1);
  expect(queue.depth).toBe(0);
  await vi.advanceTimersByTimeAsync(5_001);
  expect(queue.depth).toBe(1);
});

test('a closed queue lets its takers go, and an aborted one leaves no trace', async () => {
  const queue = new WorkQueue('q');
  const abort = new AbortController();
  const left = queue.take(abort.signal);
  abort.abort();
  expect(await left).toBeUndefined();
  queue.add('a');
  expect(queue.depth).toBe(1);
  expect(await queue.take()).toBe('a');
  const waiting = queue.take();
  queue.close();
  expect(await waiting).toBeUndefined();
  queue.add('b');
  expect(await queue.take()).toBeUndefined();
});

test('no key has two workers, and every add is followed by work that began after it', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(fc.constantFrom('add', 'take', 'done', 'later'), fc.nat(4))), async (steps) => {
      const queue = new WorkQueue('q');
      const working = new Set<string>();
      const owed = new Set<string>();
      for (const [step, n] of steps) {
        const key = `key-${n}`;
        if (step === 'add' || step === 'later') {
          if (step === 'add') queue.add(key);
          else queue.addAfter(key, 10 * n);
          owed.add(key);
        } else if (step === 'take' && queue.depth > 0) {
          const taken = (await queue.take())!;
          expect(working.has(taken)).toBe(false);
          working.add(taken);
          owed.delete(taken);
        } else if (step === 'done' && working.delete(key)) {
          queue.done(key);
        }
      }
      await vi.advanceTimersByTimeAsync(100);
      for (const key of working) queue.done(key);
      const rest = new Set<string>();
      while (queue.depth > 0) rest.add((await queue.take())!);
      for (const key of owed) expect(rest).toContain(key);
      queue.close();
    }),
  );
});

test('the metrics are named as those of controller-runtime', async () => {
  const metrics = createMetrics();
  const queue = new WorkQueue('rooms', { metrics });
  queue.add('a');
  const text = await metrics.registry.metrics();
  expect(text).toContain('workqueue_depth{name="rooms"} 1');
  expect(text).toContain('workqueue_adds_total{name="rooms"} 1');
  for (const name of [
    'workqueue_queue_duration_seconds',
    'workqueue_work_duration_seconds',
    'workqueue_unfinished_work_seconds',
    'workqueue_longest_running_processor_seconds',
    'controller_runtime_reconcile_total',
    'controller_runtime_reconcile_errors_total',
    'controller_runtime_terminal_reconcile_errors_total',
    'controller_runtime_reconcile_time_seconds',
    'controller_runtime_active_workers',
    'controller_runtime_max_concurrent_reconciles',
    'leader_election_master_status',
    'rest_client_requests_total',
    'rest_client_request_duration_seconds',
  ]) {
    expect(text).toContain(`# TYPE ${name} `);
  }
  queue.close();
});

test('counters are there before anything has failed, so that the first failure is an increase', async () => {
  const metrics = createMetrics();
  const queue = new WorkQueue('rooms', { metrics });
  const stop = new AbortController();
  const running = runController({ name: 'room', queue, metrics, reconcile: async () => undefined }, stop.signal);
  const text = await metrics.registry.metrics();
  expect(text).toContain('workqueue_retries_total{name="rooms"} 0');
  for (const result of ['success', 'error', 'requeue_after']) {
    expect(text).toContain(`controller_runtime_reconcile_total{controller="room",result="${result}"} 0`);
  }
  expect(text).toContain('controller_runtime_reconcile_errors_total{controller="room"} 0');
  stop.abort();
  await running;
  queue.close();
});

test('a queue that was closed with work left leaves no depth behind', async () => {
  const metrics = createMetrics();
  const queue = new WorkQueue('rooms', { metrics });
  queue.add('a');
  expect(await metrics.registry.metrics()).toContain('workqueue_depth{name="rooms"} 1');
  queue.close();
  expect(await metrics.registry.metrics()).not.toContain('workqueue_depth{');
});
