/** What can happen to an order, as a table. Whatever is not in it does not happen. */
export type OrderStateName = 'PENDING' | 'AWAITING_PAYMENT' | 'PAID' | 'CANCELLED';

export type OrderEvent = 'charge-begins' | 'paid' | 'declined' | 'cancel' | 'settled';

export const transitions: Record<OrderStateName, Partial<Record<OrderEvent, OrderStateName>>> = {
  PENDING: { 'charge-begins': 'AWAITING_PAYMENT', cancel: 'CANCELLED' },
  // Cancelled while a charge is under way: the relay goes on until the charge is known, and refunds it.
  AWAITING_PAYMENT: { paid: 'PAID', declined: 'CANCELLED', cancel: 'CANCELLED' },
  PAID: {},
  // It stays cancelled, and says from then on which payment it had.
  CANCELLED: { settled: 'CANCELLED' },
};

export const finalStates: readonly OrderStateName[] = ['PAID', 'CANCELLED'];

/** The state after an event; undefined where it cannot happen. */
export function next(state: OrderStateName, event: OrderEvent): OrderStateName | undefined {
  return transitions[state][event];
}
