import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { createInterface } from 'node:readline';
import { Database, migrate, RpcChannel, type RpcClient, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { program } from '@parley/kit/testing/program';
import { type OrderTables, orderSchema } from '@parley/order';
import { type PaymentTables, paymentSchema } from '@parley/payment';
import { afterAll, beforeAll, expect, test } from 'vitest';

const sagaProcess = program(new URL('testing/saga-process.ts', import.meta.url));
const cards = ['tok_approve', 'tok_decline', 'tok_timeout', 'tok_late', 'tok_twice'];

let postgres: Awaited<ReturnType<typeof startPostgres>>;
let database: Database;
beforeAll(async () => {
  postgres = await startPostgres();
  database = await Database.open({ url: postgres.url, log: silentLog });
  await migrate(database, orderSchema);
  await migrate(database, paymentSchema);
});
afterAll(async () => {
  await database?.[Symbol.asyncDispose]();
  await postgres?.[Symbol.asyncDispose]();
});

/** A process that serves orders and payments, started again whenever it has died, until it is stopped. */
class Immortal {
  deaths = 0;
  #child: ChildProcess | undefined;
  #stopped = false;
  #client: Promise<RpcClient<'order.OrderService'>>;
  readonly #probability: number;

  constructor(probability: number) {
    this.#probability = probability;
    this.#client = this.#start();
  }

  /** The orders' client of the process that lives now, with the buyer's token. */
  client(): Promise<RpcClient<'order.OrderService'>> {
    return this.#client;
  }

  async #start(): Promise<RpcClient<'order.OrderService'>> {
    const child = spawn(process.execPath, [sagaProcess, postgres.url, String(this.#probability)], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    this.#child = child;
    const line = createInterface({ input: child.stdout as NodeJS.ReadableStream });
    const ready = new Promise<{ port: number; buyer: string }>((resolve) =>
      line.once('line', (text) => resolve(JSON.parse(text))),
    );
    child.once('exit', () => {
      if (this.#stopped) return;
      if (this.deaths > 500) throw new Error('the process dies at every start');
      this.deaths++;
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

/** Asks again with the same key until there is an answer, as a client of ours does. */
async function order(server: Immortal, key: string, card: string) {
  for (;;) {
    try {
      const client = await server.client();
      const answer = await client.createOrder(
        { items: [{ product_id: 'mug', quantity: 2 }], card_token: card, idempotency_key: key },
        { timeoutMs: 3000 },
      );
      return answer.order!;
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test('500 orders end PAID or CANCELLED with books that balance, whatever the provider does and however often the process dies', async () => {
  // At some twelve of the steps that they take together.
  await using server = new Immortal(0.005);
  const keys = randomUUID();
  const made = await Promise.all(
    Array.from({ length: 500 }, async (_, i) => {
      const one = await order(server, `${keys}-${i}`, cards[i % cards.length] as string);
      // Every seventh buyer changes his mind.
      if (i % 7 === 0)
        await server
          .client()
          .then((client) => client.cancelOrder({ id: one.id }, { timeoutMs: 2000 }))
          .catch(() => undefined);
      return one;
    }),
  );
  expect(new Set(made.map(({ id }) => id)).size).toBe(500);
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
    .where(
      'orders.order.id',
      'in',
      made.map(({ id }) => id),
    )
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
  expect(rows.length).toBe(500); // One payment an order at most.
  const unbalanced = rows.filter(({ order_state, payment_state, outcome, refunded }) => {
    const moneyTaken = outcome === 'approved' && !refunded;
    if (order_state === 'PAID') return !(moneyTaken && payment_state === 'APPROVED');
    if (order_state === 'CANCELLED') return moneyTaken || payment_state === 'PENDING' || payment_state === 'APPROVED';
    return true;
  });
  expect(unbalanced).toEqual([]);
  expect(server.deaths).toBeGreaterThan(3);
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
