import type { Metrics } from '@parley/kit';

/** What is counted of delivery; no label that a caller can grow. */
export class DeliveryMetrics {
  readonly #delivered;
  readonly #slow;
  readonly #rooms;

  constructor(metrics: Metrics) {
    this.#delivered = metrics.counter('chat_deliveries_total', 'Messages handed to subscribers.');
    this.#slow = metrics.counter('chat_slow_subscribers_total', 'Subscribers sent away because they did not keep up.');
    this.#rooms = metrics.gauge('chat_feeds', 'Rooms that this pod follows.');
  }

  delivered(count: number): void {
    if (count > 0) this.#delivered.inc(count);
  }

  slow(): void {
    this.#slow.inc();
  }

  feeds(count: number): void {
    this.#rooms.set(count);
  }
}
