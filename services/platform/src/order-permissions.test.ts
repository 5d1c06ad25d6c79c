/** Who may do what with orders and payments: the contract's table, one test a cell. */
import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { failure, type OrderServer, serveOrders } from './testing/order-server.ts';

const mug = { items: [{ product_id: 'mug', quantity: 1 }], card_token: 'tok_approve' };
const charge = (key: string) => ({
  order_id: key,
  user_id: '1',
  amount: { currency_code: 'EUR', minor_units: '1290' },
  card_token: 'tok_approve',
  idempotency_key: key,
});
const code = async (call: Promise<unknown>) => (await failure(call)).code;

describe.each(['open', 'required'] as const)('PARLEY_AUTH=%s', (mode) => {
  let server: OrderServer;
  let buyer: { token: string };
  let stranger: { token: string };
  let admin: { token: string };
  let service: { token: string };
  sharedFixture(async (stack) => {
    server = stack.use(await serveOrders(mode));
    buyer = { token: server.token('1') };
    stranger = { token: server.token('2') };
    admin = { token: server.token('3', 'admin') };
    service = { token: server.token('0', 'service') };
  });
  const watch = (id: string, settings: object) => server.orders.watchOrder({ id }, settings).each(() => undefined);
  /** An order of the buyer's that is paid. */
  const paid = async () => {
    const { order } = await server.orders.createOrder(mug, buyer);
    await watch(order!.id, buyer);
    return (await server.orders.getOrder({ id: order!.id }, buyer)).order!;
  };

  test('orders without a token: UNAUTHENTICATED', async () => {
    const { orders } = server;
    const calls = [
      orders.createOrder(mug),
      orders.getOrder({ id: 'x' }),
      orders.listOrders({}),
      orders.cancelOrder({ id: 'x' }),
      watch('x', {}),
    ];
    expect(await Promise.all(calls.map(code))).toEqual(calls.map(() => 'UNAUTHENTICATED'));
  });
  test('the catalogue is for everybody', async () => {
    expect((await server.orders.listProducts({})).products.map(({ id }) => id)).toContain('mug');
  });
  test('orders signed in: one’s own', async () => {
    const { id } = await paid();
    expect((await server.orders.getOrder({ id }, buyer)).order).toMatchObject({ id, user_id: '1', state: 'PAID' });
    const { orders } = await server.orders.listOrders({}, buyer);
    expect(orders.map((order) => order.id)).toContain(id);
  });
  test('orders signed in: another’s is NOT_FOUND, as one that does not exist', async () => {
    const { id } = await paid();
    const { orders } = server;
    for (const call of [orders.getOrder, orders.cancelOrder]) {
      const [other, none] = await Promise.all([failure(call({ id }, stranger)), failure(call({ id: 'x' }, stranger))]);
      expect(other).toMatchObject({ code: 'NOT_FOUND', message: none.message.replace('"x"', `"${id}"`) });
    }
    expect(await code(watch(id, stranger))).toBe('NOT_FOUND');
    expect((await orders.listOrders({}, stranger)).orders).toEqual([]);
  });
  test('orders as an admin: everybody’s', async () => {
    const { id } = await paid();
    expect((await server.orders.getOrder({ id }, admin)).order?.id).toBe(id);
    await watch(id, admin);
    expect(await code(server.orders.cancelOrder({ id }, admin))).toBe('FAILED_PRECONDITION');
  });
  test('GetPayment: UNAUTHENTICATED without a token; the buyer and admins; nobody else', async () => {
    const { id, payment_id } = await paid();
    expect(await code(server.payments.getPayment({ id: payment_id }))).toBe('UNAUTHENTICATED');
    for (const who of [buyer, admin]) {
      const { payment } = await server.payments.getPayment({ id: payment_id }, who);
      expect(payment).toMatchObject({ order_id: id, state: 'APPROVED', user_id: '1' });
    }
    expect(await code(server.payments.getPayment({ id: payment_id }, stranger))).toBe('NOT_FOUND');
  });
  test('Charge, Refund: UNAUTHENTICATED without a token, PERMISSION_DENIED to members, services and admins', async () => {
    const { payments } = server;
    for (const [settings, refused] of [
      [{}, 'UNAUTHENTICATED'],
      [buyer, 'PERMISSION_DENIED'],
    ] as const) {
      expect(await code(payments.charge(charge('refused'), settings))).toBe(refused);
      expect(await code(payments.refund({ payment_id: 'pay_x' }, settings))).toBe(refused);
    }
    for (const [name, who] of Object.entries({ service, admin })) {
      const { payment } = await payments.charge(charge(`by-${name}`), who);
      expect(payment?.state).toBe('APPROVED');
      const refunded = await payments.refund({ payment_id: payment!.id, idempotency_key: `back-${name}` }, who);
      expect(refunded.payment?.state).toBe('REFUNDED');
    }
  });
});
