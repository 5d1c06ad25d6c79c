import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { type AppError, Database, migrate, RpcChannel, type RpcClient, silentLog } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { startPostgres } from '@parley/kit/testing/postgres';
import { program } from '@parley/kit/testing/program';
import { type OrderTables, orderSchema } from '@parley/order';
import { type PaymentTables, paymentSchema } from '@parley/payment';
import { expect, test } from 'vitest';

const sagaProcess = program(new URL('testing/saga-process.ts', import.meta.url));
type Orders = RpcClient<'order.OrderService'>;

/** Where a process may die: after each of these. */
const steps = [
  'charge-began',
  'payment-begun',
  'provider-answered',
  'charged',
  'paid',
  'declined',
  'notified',
  'payment-seen',
  'provider-refunded',
  'refunded',
];
const cards = ['tok_approve', 'tok_decline', 'tok_timeout', 'tok_late', 'tok_twice'];

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let database: Database;
sharedFixture(async (stack) => {
  postgres = stack.use(await startPostgres());
  database = stack.use(await Database.open({ url: postgres.url, log: silentLog }));
  await migrate(database, orderSchema);
  await migrate(database, paymentSchema);
});

/** A process that serves orders and payments, started again whenever it has died, until it is stopped. */
class Immortal {
  /** The step after which each of its lives ended. */
  readonly deaths: string[] = [];
  #child: ChildProcess | undefined;
  #stopped = false;
  #client: Promise<Orders>;
  readonly #times: number;

  /** `times`: how often it dies after each step. */
  constructor(times: number) {
    this.#times = times;
    this.#client = this.#start();
  }

  /** The orders' client of the process that lives now, with the buyer's token. */
  client(): Promise<Orders> {
    return this.#client;
  }

  async #start(): Promise<Orders> {
    const deadly = steps.filter((step) => this.deaths.filter((death) => death === step).length < this.#times);
    const child = spawn(process.execPath, [sagaProcess, postgres.url, ...deadly], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    let last = '';
    const ready = new Promise<{ port: number; buyer: string }>((resolve) =>
      lines.once('line', (text) => {
        resolve(JSON.parse(text));
        lines.on('line', (step) => (last = step));
      }),
    );
    child.once('close', () => {
      if (this.#stopped) return;
      if (!deadly.includes(last)) throw new Error('the process died by itself');
      this.deaths.push(last);
      this.#client = this.#start();
    });
    const { port, buyer } = await ready;
    return new RpcChannel({ address: `127.0.0.1:${port}`, token: () => buyer }).client('order.OrderService');
  }

  async [Symbol.asyncDispose]() {
    this.#stopped = true;
    this.#child?.kill('SIGKILL');
  }
}

/** Asks again until there is an answer, as a client of ours does. */
async function ask<Answer>(server: Immortal, call: (orders: Orders) => Promise<Answer>): Promise<Answer> {
  for (;;) {
    try {
      return await call(await server.client());
    } catch (error) {
      if ((error as AppError).code === 'FAILED_PRECONDITION') throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** Orders with this key, however often that takes. */
async function order(server: Immortal, key: string, card: string) {
  const request = { items: [{ product_id: 'mug', quantity: 2 }], card_token: card, idempotency_key: key };
  return (await ask(server, (orders) => orders.createOrder(request, { timeoutMs: 3000 }))).order!;
}

const stateOf = async (server: Immortal, id: string) =>
  (await ask(server, (orders) => orders.getOrder({ id }, { timeoutMs: 2000 }))).order!.state;

test('500 orders end PAID or CANCELLED with books that balance, whatever the provider does and however often the process dies', async () => {
  await using server = new Immortal(2);
  const keys = randomUUID();
  const cancel = (id: string) =>
    ask(server, (orders) => orders.cancelOrder({ id }, { timeoutMs: 2000 })).catch(() => 'too late');
  const begins = (id: string) => expect.poll(() => stateOf(server, id), { timeout: 60_000 }).not.toBe('PENDING');
  const made = await Promise.all(
    Array.from({ length: 500 }, async (_, i) => {
      const { id } = await order(server, `${keys}-${i}`, cards[i % cards.length] as string);
      // Every seventh buyer changes his mind, at once or when he hears that he is being charged.
      if (i % 7 === 0) {
        if (i % 2 === 1) await begins(id);
        await cancel(id);
      }
      return id;
    }),
  );
  // Whether one of them is charged all the same, and paid back, is a matter of luck: more come until that has happened.
  while (!steps.every((step) => server.deaths.includes(step))) {
    const { id } = await order(server, `${keys}-${made.length}`, 'tok_late');
    made.push(id);
    await begins(id);
    await cancel(id);
  }
  expect(new Set(made).size).toBe(made.length);
  const orders = database.as<OrderTables & PaymentTables>();
  const open = async () => {
    const { count } = await orders
      .selectFrom('orders.outbox')
      .select((eb) => eb.fn.countAll<string>().as('count'))
      .executeTakeFirstOrThrow();
    return Number(count);
  };
  await expect.poll(open, { timeout: 120_000, interval: 250 }).toBe(0);

  const rows = await orders
    .selectFrom('orders.order')
    .where('orders.order.id', 'in', made)
    .leftJoin('payments.payment', 'payments.payment.order_id', 'orders.order.id')
    .leftJoin('payments.simulated_charge', 'payments.simulated_charge.payment_id', 'payments.payment.id')
    .select([
      'orders.order.id',
      'orders.order.state as order_state',
      'payments.payment.state as payment_state',
      'outcome',
      'refunded',
    ])
    .execute();
  expect(rows.length).toBe(made.length); // One payment an order at most.
  const unbalanced = rows.filter(({ order_state, payment_state, outcome, refunded }) => {
    const moneyTaken = outcome === 'approved' && !refunded;
    if (order_state === 'PAID') return !(moneyTaken && payment_state === 'APPROVED');
    if (order_state === 'CANCELLED') return moneyTaken || payment_state === 'PENDING' || payment_state === 'APPROVED';
    return true;
  });
  expect(unbalanced).toEqual([]);
}, 180_000);

test('100 callers with one key get one order, one charge and 100 equal answers', async () => {
  await using server = new Immortal(0);
  const answers = await Promise.all(Array.from({ length: 100 }, () => order(server, 'the-same', 'tok_approve')));
  expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
  const client = await server.client();
  const reused = await client
    .createOrder({
      items: [{ product_id: 'mug', quantity: 3 }],
      card_token: 'tok_approve',
      idempotency_key: 'the-same',
    })
    .catch((error) => error);
  expect(reused).toMatchObject({ code: 'ALREADY_EXISTS', details: { reason: 'KEY_REUSED' } });
  await expect.poll(async () => (await client.getOrder({ id: answers[0]!.id })).order?.state).toBe('PAID');
  const charges = await database
    .as<PaymentTables>()
    .selectFrom('payments.payment')
    .selectAll()
    .where('order_id', '=', answers[0]!.id)
    .execute();
  expect(charges.length).toBe(1);
  await expect(client.cancelOrder({ id: answers[0]!.id })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' });
});
