/** Orders with every kind of card, and the proof that each ended with books that balance. */
import type { Api } from '@parley/client';
import { Database, silentLog } from '@parley/kit';
import type { OrderTables } from '@parley/order';
import type { PaymentTables } from '@parley/payment';
import { becomes, pause } from './patience.ts';
import { steadily } from './steadily.ts';
import type { Tally } from './tally.ts';

const cards = ['tok_approve', 'tok_decline', 'tok_timeout', 'tok_late', 'tok_twice'];
const giveUpMs = 120_000;
/** What the promise gives an order is 60 s; a fault may have come at the last moment. */
const settledWithinMs = 120_000;
/** Every so many buyers one changes his mind. */
const cancelEvery = 7;

/** Orders until the signal. @returns the ids of all orders that were acknowledged */
export async function buy(apis: Api[], perSecond: number, tally: Tally, signal: AbortSignal): Promise<Set<string>> {
  const ids = new Set<string>();
  async function one(number: number): Promise<void> {
    const api = () => apis[Math.floor(Math.random() * apis.length)] as Api;
    const items = [{ product_id: 'mug', quantity: 1 + (number % 3) }];
    for (const end = Date.now() + giveUpMs; Date.now() < end; await pause(100 + Math.random() * 400)) {
      try {
        const { id } = await api().orders.create(items, cards[number % cards.length] as string, `order-${number}`);
        ids.add(id);
        tally.add('orders');
        if (number % cancelEvery === 0) await cancel(api(), id);
        return;
      } catch (error) {
        if (!tally.failed('an order', error)) return;
      }
    }
    throw new Error(`not acknowledged within ${giveUpMs / 1000} s`);
  }
  async function cancel(api: Api, id: string): Promise<void> {
    await api.orders.cancel(id).catch((error) => {
      // It was paid faster.
      if (error.code !== 'FAILED_PRECONDITION') tally.failed('a cancellation', error);
    });
  }
  await steadily('an order', perSecond, one, tally, signal);
  return ids;
}

/** Waits for the orders to end and looks into everybody's books. */
export async function checkBooks(url: string, ids: Set<string>, tally: Tally): Promise<void> {
  await using database = await Database.open({ url, log: silentLog });
  const books = database.as<OrderTables & PaymentTables>();
  const open = async () => (await books.selectFrom('orders.outbox').select('order_id').execute()).length;
  if (!(await becomes(async () => (await open()) === 0, settledWithinMs)))
    tally.wrong(`orders: ${await open()} tasks are still to be done`);
  const rows = await books
    .selectFrom('orders.order')
    .leftJoin('payments.payment', 'payments.payment.order_id', 'orders.order.id')
    .leftJoin('payments.simulated_charge', 'payments.simulated_charge.payment_id', 'payments.payment.id')
    .select([
      'orders.order.id',
      'orders.order.state as order',
      'payments.payment.state as payment',
      'outcome',
      'refunded',
    ])
    .execute();
  for (const row of rows) {
    tally.add(row.order);
    if (!isBalanced(row)) tally.wrong(`an order whose books do not balance: ${JSON.stringify(row)}`);
  }
  const known = new Set(rows.map(({ id }) => id));
  // One payment an order at most, and each key made one order.
  if (rows.length !== known.size) tally.wrong(`${rows.length - known.size} orders have more than one payment`);
  if (known.size !== ids.size) tally.wrong(`${known.size} orders are there, ${ids.size} were acknowledged`);
  for (const id of ids) if (!known.has(id)) tally.wrong(`the order ${id} was acknowledged and is not there`);
}

interface Row {
  order: string;
  payment: string | null;
  outcome: string | null;
  refunded: boolean | null;
}

function isBalanced({ order, payment, outcome, refunded }: Row): boolean {
  const isMoneyTaken = outcome === 'approved' && !refunded;
  if (order === 'PAID') return isMoneyTaken && payment === 'APPROVED';
  return order === 'CANCELLED' && !isMoneyTaken && payment !== 'PENDING' && payment !== 'APPROVED';
}
