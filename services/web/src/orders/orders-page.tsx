import type { Order, Product } from '@parley/client';
import { useCallback, useEffect, useRef, useState } from 'preact/hooks';
import { useFocusKept } from '../parts/focus.ts';
import { Icon } from '../parts/icon.tsx';
import { api } from '../state/chat.ts';
import { problemText } from '../state/problem-text.ts';
import { hashOf } from '../state/routes.ts';
import { useApp } from '../state/store.ts';
import { Basket } from './basket.tsx';
import { isFinal, OrderList } from './order-list.tsx';

/** How often orders that are not finished are looked at. */
const lookEveryMs = 1_000;

export function OrdersPage() {
  const { me } = useApp();
  return (
    <main class="orders" aria-label="Orders">
      <header class="room-head">
        <a class="round back" href={hashOf({ page: 'rooms' })} aria-label="All rooms">
          <Icon name="back" />
        </a>
        <h1 class="display room-title">Orders</h1>
      </header>
      {me?.guest ? <p class="orders-note quiet">Orders need an account: log out and register.</p> : <Shop />}
    </main>
  );
}

function Shop() {
  const [products, setProducts] = useState<readonly Product[]>();
  const [unread, setUnread] = useState('');
  const [orders, setOrders] = useState<readonly Order[]>();
  const [problem, setProblem] = useState('');
  const [nextPage, setNextPage] = useState('');
  const bought = useRef<HTMLElement>(null);
  useFocusKept(bought);

  const read = useCallback(async (pageToken = '') => {
    try {
      const answer = await api.orders.list(pageToken, 20);
      setOrders((before) => (pageToken ? [...(before ?? []), ...answer.orders] : answer.orders));
      setNextPage(answer.next_page_token);
      setProblem('');
    } catch (error) {
      setProblem(problemText(error));
    }
  }, []);
  const readProducts = useCallback(async () => {
    try {
      setProducts(await api.products());
      setUnread('');
    } catch (error) {
      setUnread(problemText(error));
    }
  }, []);
  const changed = useCallback((order: Order) => {
    setOrders((before) => before?.map((one) => (one.id === order.id && isNewer(order, one) ? order : one)));
  }, []);

  useEffect(() => {
    void readProducts();
    void read();
  }, [readProducts, read]);
  const online = useApp().link.status === 'online';
  useEffect(() => {
    // What could not be read without a connection is read now that there is one.
    if (online && unread) void readProducts();
    if (online && problem) void read();
  }, [online]);
  const open = (orders ?? []).filter((order) => !isFinal(order)).map(({ id }) => id);
  useEffect(() => {
    if (open.length === 0) return;
    const look = () => {
      // What cannot be read now is read at the next look.
      for (const id of open) api.orders.get(id).then(changed, () => {});
    };
    const timer = setInterval(look, lookEveryMs);
    return () => clearInterval(timer);
  }, [open.join(' '), changed]);

  return (
    <div class="shop">
      <Basket products={products} unread={unread} onReadAgain={readProducts} onOrdered={() => void read()} />
      <section ref={bought} class="bought" tabIndex={-1} aria-label="Your orders">
        <h2 class="display">What you ordered</h2>
        {problem && (
          <p class="problem" role="alert">
            {problem}{' '}
            <button type="button" class="link" onClick={() => void read()}>
              Try again
            </button>
          </p>
        )}
        {orders && <OrderList orders={orders} products={products ?? []} onChanged={changed} />}
        {nextPage && (
          <button type="button" onClick={() => void read(nextPage)}>
            Older orders
          </button>
        )}
      </section>
    </div>
  );
}

function isNewer(next: Order, before: Order): boolean {
  return BigInt(next.version) >= BigInt(before.version);
}
