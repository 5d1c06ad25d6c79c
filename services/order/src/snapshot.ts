import type { Selectable } from 'kysely';
import type { OrderRow, OrderSnapshot } from './schema.ts';

export type OrderRecord = Selectable<OrderRow>;

/** An order as answers hold it. */
export function snapshotOf(order: OrderRecord): OrderSnapshot {
  return {
    id: order.id,
    user_id: order.user_id,
    state: order.state,
    items: order.items,
    total: { currency_code: order.currency_code, minor_units: order.total_minor_units },
    payment_id: order.payment_id,
    reason: order.reason,
    version: String(order.version),
    created_at: order.created_at.toISOString(),
    updated_at: order.updated_at.toISOString(),
  };
}
