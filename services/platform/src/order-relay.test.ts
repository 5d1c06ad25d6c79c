/** Two pods of the order service over one database, with real payments: only when an answer arrives is the test's to say. */
import { Database, migrate, type RpcClient, silentLog } from '@parley/kit';
import { orderSchema } from '@parley/order';
import { openCatalogue } from '@parley/order/catalogue';
import { Orders } from '@parley/order/orders';
import { Relay, type RelayParts } from '@parley/order/relay';
import type { OrderTables } from '@parley/order/schema';
import { price } from '@parley/order/validation';
import { paymentSchema } from '@parley/payment';
import { Payments } from '@parley/payment/payments';
import type { PaymentTables } from '@parley/payment/schema';
import { SimulatedProvider } from '@parley/payment/simulated-provider';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

type PaymentClient = Pick<RpcClient<'payment.PaymentService'>, 'charge' | 'getPayment' | 'refund'>;

let database: Database;
let orders: Orders;
let payments: Payments;
beforeAll(async () => {
  database = await Database.open({ log: silentLog });
  for (const schema of [orderSchema, paymentSchema]) await migrate(database, schema);
  orders = new Orders(database.as<OrderTables>());
  const db = database.as<PaymentTables>();
  const settings = { providerTimeoutMs: 50, giveUpSeconds: 60 };
  payments = new Payments(db, new SimulatedProvider(db, { lateMs: 0 }), settings, silentLog);
});
afterAll(() => database[Symbol.asyncDispose]());
afterEach(() => database.as<OrderTables>().deleteFrom('orders.outbox').execute());

const client = {
  charge: async (request: Parameters<PaymentClient['charge']>[0]) => ({
    payment: await payments.charge({
      orderId: request.order_id as string,
      userId: String(request.user_id),
      currencyCode: request.amount!.currency_code as string,
      minorUnits: BigInt(String(request.amount!.minor_units)),
      cardToken: request.card_token as string,
      idempotencyKey: request.idempotency_key as string,
    }),
  }),
  getPayment: async ({ order_id }: { order_id?: string }) => ({ payment: await payments.byOrder(order_id as string) }),
  refund: async ({ payment_id }: { payment_id?: string }) => ({ payment: await payments.refund(payment_id as string) }),
};
const pod = (calls: Partial<typeof client> = {}, settings: Partial<RelayParts> = {}) =>
  new Relay({
    orders,
    payments: { ...client, ...calls } as unknown as PaymentClient,
    teller: { tellPaid: async () => undefined },
    log: silentLog,
    ...settings,
  });
const signal = () => Promise.withResolvers<void>();

async function order(card_token = 'tok_approve'): Promise<string> {
  const request = { items: [{ product_id: 'mug', quantity: 1, unit_price: null }], card_token, idempotency_key: '' };
  const [made] = await orders.create([{ userId: '7', order: price(request, openCatalogue(undefined)) }]);
  return (made as { id: string }).id;
}
const left = (id: string) =>
  database
    .as<OrderTables>()
    .selectFrom('orders.outbox')
    .select(['task', 'attempts'])
    .where('order_id', '=', id)
    .execute();
const stateOf = async (id: string) => (await orders.byId(id)).state;

test('an order cancelled while it is charged is refunded, though another pod had looked before it was charged', async () => {
  const id = await order();
  const [charging, looked, charged] = [signal(), signal(), signal()];
  const one = pod(
    {
      async charge(request) {
        charging.resolve();
        await looked.promise;
        return client.charge(request);
      },
    },
    { leaseSeconds: 0 }, // The other pod takes up the charge too.
  );
  const two = pod({
    async getPayment(request) {
      const seen = client.getPayment(request);
      await seen.catch(() => 'there is none yet');
      looked.resolve();
      await charged.promise;
      return seen;
    },
  });
  await one.run();
  await charging.promise;
  await orders.cancel(id, '7', 'cancelled by the buyer');
  await two.run();
  await one.idle();
  charged.resolve();
  await two.idle();
  const either = pod();
  await either.run();
  await either.idle();
  expect(await left(id)).toEqual([]);
  const { id: payment_id, state } = await payments.byOrder(id);
  expect(state).toBe('REFUNDED');
  expect(await orders.byId(id)).toMatchObject({ state: 'CANCELLED', payment_id, reason: 'cancelled by the buyer' });
  // One more version, which a watch that had ended before shows when it is resumed.
  expect(await orders.versions(id, 3)).toMatchObject([{ version: '4', state: 'CANCELLED', payment_id }]);
});

test('a bank that is silent delays its own orders only', async () => {
  const [silent, answered] = [await order('tok_timeout'), signal()];
  const one = pod({
    async charge(request) {
      if (request.order_id === silent) await answered.promise;
      return client.charge(request);
    },
  });
  await one.run();
  const id = await order();
  await one.run();
  await expect.poll(() => stateOf(id)).toBe('PAID');
  expect(await stateOf(silent)).toBe('AWAITING_PAYMENT');
  answered.resolve();
  await one.idle();
});

test('as many tasks are under way as there is room for; the next one is begun when one of them is over', async () => {
  const charged: string[] = [];
  const [answered, room] = [signal(), signal()];
  const one = pod(
    {
      async charge(request) {
        charged.push(request.order_id as string);
        await answered.promise;
        return client.charge(request);
      },
    },
    { mostInFlight: 2, room: room.resolve },
  );
  const ids = [await order(), await order(), await order()];
  await one.run();
  await expect.poll(() => charged).toEqual(ids.slice(0, 2));
  await one.run();
  expect(await left(ids[2] as string)).toEqual([{ task: 'pay', attempts: 0 }]);
  answered.resolve();
  await room.promise;
  await expect
    .poll(async () => {
      await one.run();
      return stateOf(ids[2] as string);
    })
    .toBe('PAID');
  await one.idle();
});

test('an order charged by two pods at once stays paid for', async () => {
  const id = await order();
  const [charging, paid] = [signal(), signal()];
  const one = pod(
    {
      async charge(request) {
        charging.resolve();
        await paid.promise;
        return client.charge(request);
      },
    },
    { leaseSeconds: 0 },
  );
  await one.run();
  await charging.promise;
  const two = pod();
  await two.run();
  await two.idle();
  paid.resolve();
  await one.idle();
  await two.run();
  await two.idle();
  expect(await left(id)).toEqual([]);
  expect([await stateOf(id), (await payments.byOrder(id)).state]).toEqual(['PAID', 'APPROVED']);
});
