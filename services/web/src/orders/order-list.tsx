import { moneyText, type Order, type Product } from '@parley/client';
import { useRef, useState } from 'preact/hooks';
import { useFocusKept } from '../parts/focus.ts';
import { dayText, timeText } from '../rooms/days.ts';
import { api } from '../state/chat.ts';
import { problemText, sentence } from '../state/problem-text.ts';
import { say } from '../state/store.ts';

const words: Record<string, string> = {
  PENDING: 'Received',
  AWAITING_PAYMENT: 'Being paid',
  PAID: 'Paid',
  CANCELLED: 'Cancelled',
};

export function isFinal({ state }: Order): boolean {
  return state === 'PAID' || state === 'CANCELLED';
}

interface ListProps {
  orders: readonly Order[];
  /** For their names; one that is no longer sold is called by its id. */
  products: readonly Product[];
  onChanged: (order: Order) => void;
}

export function OrderList({ orders, products, onChanged }: ListProps) {
  const names = new Map(products.map(({ id, name }) => [id, name]));
  if (orders.length === 0) return <p class="quiet">You have not ordered anything yet.</p>;
  return (
    <ul class="order-list">
      {orders.map((order) => (
        <OrderRow key={order.id} order={order} names={names} onChanged={onChanged} />
      ))}
    </ul>
  );
}

interface RowProps {
  order: Order;
  names: ReadonlyMap<string, string>;
  onChanged: (order: Order) => void;
}

function OrderRow({ order, names, onChanged }: RowProps) {
  const [busy, setBusy] = useState(false);
  const row = useRef<HTMLLIElement>(null);
  // An order that is final cannot be cancelled any more.
  useFocusKept(row);
  const cancel = async () => {
    if (busy) return;
    setBusy(true);
    try {
      onChanged(await api.orders.cancel(order.id));
    } catch (error) {
      say(problemText(error), 'bad');
    }
    setBusy(false);
  };
  return (
    <li ref={row} class="order" tabIndex={-1} data-state={order.state} data-id={order.id} data-testid="order">
      <p class="order-items">
        {order.items
          .map(({ product_id, quantity }) => `${quantity} × ${names.get(product_id) || product_id}`)
          .join(', ')}
      </p>
      <p class="order-total">{order.total && moneyText(order.total)}</p>
      <p class="quiet">
        {dayText(order.created_at)}, {timeText(order.created_at)}
        {order.reason && ` · ${sentence(order.reason)}`}
      </p>
      <p class="order-state" aria-live="polite">
        <span class="dot" aria-hidden="true" /> {words[order.state] ?? order.state}
      </p>
      {!isFinal(order) && (
        <button type="button" class="bad" aria-disabled={busy} onClick={cancel} data-testid="order-cancel">
          Cancel order
        </button>
      )}
    </li>
  );
}
