/** Orders and payments as their callers see them: what is refused with which code, what comes back, what a watch shows. */
import { createHmac } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { failure, type OrderServer, serveOrders, webhookSecret } from './testing/order-server.ts';

let server: OrderServer;
let buyer: { token: string };
let admin: { token: string };
let people = 100;
const somebody = () => ({ token: server.token(String(++people)) });
beforeAll(async () => {
  server = await serveOrders('open');
  buyer = { token: server.token('1') };
  admin = { token: server.token('2', 'admin') };
});
afterAll(() => server[Symbol.asyncDispose]());

const wanted = (card_token = 'tok_approve', quantity = 1, idempotency_key = '') => ({
  items: [{ product_id: 'mug', quantity }],
  card_token,
  idempotency_key,
});
async function versions(id: string, after_version = '0', settings: object = buyer): Promise<string[]> {
  const seen: string[] = [];
  await server.orders.watchOrder({ id, after_version }, settings).each(({ state, version }) => {
    seen.push(`${version} ${state}`);
  });
  return seen;
}
const charge = (change: object) => ({
  order_id: 'order',
  user_id: '1',
  amount: { currency_code: 'EUR', minor_units: '1290' },
  card_token: 'tok_approve',
  idempotency_key: 'key',
  ...change,
});

test.each([
  ['tok_approve', 'PAID', ''],
  ['tok_twice', 'PAID', ''],
  ['tok_late', 'PAID', ''],
  ['tok_decline', 'CANCELLED', 'the card was declined'],
  ['tok_timeout', 'CANCELLED', 'the provider did not answer in time'],
])('an order by %s ends %s', async (card, state, reason) => {
  const { order } = await server.orders.createOrder(wanted(card), buyer);
  expect(order).toMatchObject({ state: 'PENDING', version: '1', user_id: '1' });
  expect(await versions(order!.id)).toEqual(['1 PENDING', '2 AWAITING_PAYMENT', `3 ${state}`]);
  expect((await server.orders.getOrder({ id: order!.id }, buyer)).order).toMatchObject({ state, reason });
});

test('a watch that resumes shows what came after, wherever it says that it stood', async () => {
  const { id } = (await server.orders.createOrder(wanted(), buyer)).order!;
  const all = await versions(id);
  expect(await versions(id, '1')).toEqual(all.slice(1));
  expect(await versions(id, '3')).toEqual([]);
  expect(await versions(id, '9223372036854775807')).toEqual([]);
  expect(await versions(id, '-9223372036854775808')).toEqual(all);
});

test('a watch ends when its user is signed out', async () => {
  const user = somebody();
  const { id } = (await server.orders.createOrder(wanted('tok_timeout'), user)).order!;
  let seen = 0;
  const ended = failure(
    server.orders.watchOrder({ id }, user).each(() => {
      if (++seen === 1) server.verifier.revoke(String(people), new Date(Date.now() + 1000));
    }),
  );
  expect((await ended).code).toBe('UNAUTHENTICATED');
});

test('an order that is not paid yet can be cancelled, twice over, and a paid one cannot', async () => {
  const { id } = (await server.orders.createOrder(wanted('tok_late'), buyer)).order!;
  const { order } = await server.orders.cancelOrder({ id }, buyer);
  expect(order).toMatchObject({ state: 'CANCELLED', reason: 'cancelled by the buyer' });
  const { state, reason } = order!;
  expect((await server.orders.cancelOrder({ id }, buyer)).order).toMatchObject({ state, reason });
  const paid = (await server.orders.createOrder(wanted(), buyer)).order!;
  await versions(paid.id);
  expect(await failure(server.orders.cancelOrder({ id: paid.id }, buyer))).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `order ${paid.id} is PAID; only orders that are not paid yet can be cancelled`,
    details: { reason: 'ORDER_PAID' },
  });
});

test('what a cancelled order was charged is given back', async () => {
  const payment = (id: string) =>
    server.payments.getPayment({ order_id: id }, admin).then(
      ({ payment }) => payment?.state,
      () => undefined,
    );
  /** Cancels an order whose payment has begun; undefined where it was decided meanwhile. */
  const cancelled = async () => {
    const { id } = (await server.orders.createOrder(wanted('tok_late'), buyer)).order!;
    await expect.poll(() => payment(id), { timeout: 10_000, interval: 5 }).toBeDefined();
    return server.orders.cancelOrder({ id }, buyer).then(
      ({ order }) => order?.id,
      () => undefined,
    );
  };
  let id: string | undefined;
  while (id === undefined) id = await cancelled();
  await expect.poll(() => payment(id), { timeout: 30_000 }).toMatch(/REFUNDED|DECLINED/);
  const paymentId = async () => (await server.orders.getOrder({ id: id as string }, buyer)).order?.payment_id;
  await expect.poll(paymentId, { timeout: 10_000 }).toMatch(/^pay_/);
  const { payment: own } = await server.payments.getPayment({ id: (await paymentId()) as string }, buyer);
  expect(own).toMatchObject({ order_id: id });
});

test('a key used again answers as before; with another order it is KEY_REUSED; another user’s key is his own', async () => {
  const first = await server.orders.createOrder(wanted('tok_approve', 1, 'my key'), buyer);
  await versions(first.order!.id);
  expect(await server.orders.createOrder(wanted('tok_approve', 1, 'my key'), buyer)).toEqual(first);
  for (const other of [wanted('tok_approve', 2, 'my key'), wanted('tok_late', 1, 'my key')])
    expect(await failure(server.orders.createOrder(other, buyer))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { reason: 'KEY_REUSED' },
    });
  const { order } = await server.orders.createOrder(wanted('tok_approve', 1, 'my key'), somebody());
  expect(order?.id).not.toBe(first.order!.id);
});

test('orders that travel together have each their own answer', async () => {
  const user = somebody();
  const calls = Array.from({ length: 60 }, (_, i) =>
    server.orders.createOrder(
      i % 3 === 0 ? wanted('tok_approve', i + 1, 'shared') : wanted('tok_approve', i + 1),
      user,
    ),
  );
  const answers = await Promise.allSettled(calls);
  answers.forEach((answer, i) => {
    if (answer.status === 'fulfilled') expect(answer.value.order?.items[0]?.quantity).toBe(i + 1);
    else expect(answer.reason).toMatchObject({ code: 'ALREADY_EXISTS', details: { reason: 'KEY_REUSED' } });
  });
  expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(41);
});

test('pages of orders are of 50 unless more is asked for, newest first, each order once', async () => {
  const user = somebody();
  const make = () => server.orders.createOrder(wanted('tok_decline'), user).then(({ order }) => order!.id);
  const made = await Promise.all(Array.from({ length: 59 }, make));
  const newest = await make();
  const first = await server.orders.listOrders({}, user);
  expect(first.orders).toHaveLength(50);
  const second = await server.orders.listOrders({ page_token: first.next_page_token }, user);
  expect(second).toMatchObject({ next_page_token: '' });
  const ids = [...first.orders, ...second.orders].map(({ id }) => id);
  expect(ids).toHaveLength(60);
  expect(new Set(ids)).toEqual(new Set([...made, newest]));
  expect(ids[0]).toBe(newest);
  expect((await server.orders.listOrders({ page_size: 200 }, user)).orders).toHaveLength(60);
  for (const page_token of ['x', '\u0000'])
    expect((await failure(server.orders.listOrders({ page_token }, user))).code).toBe('INVALID_ARGUMENT');
});

test.each<[string, object, string]>([
  ['an unknown currency', { amount: { currency_code: 'XXQ', minor_units: '1' } }, 'amount.currency_code is "XXQ"'],
  ['no currency', { amount: { currency_code: '', minor_units: '1' } }, 'amount.currency_code is ""'],
  ['no amount', { amount: null }, 'amount.minor_units is 0; 1 to 9007199254740991 are allowed'],
  [
    '2^53',
    { amount: { currency_code: 'EUR', minor_units: '9007199254740992' } },
    'amount.minor_units is 9007199254740992',
  ],
  ['less than nothing', { amount: { currency_code: 'EUR', minor_units: '-1' } }, 'amount.minor_units is -1'],
  ['nobody', { user_id: '0' }, 'user_id is 0'],
  ['no order', { order_id: '' }, 'order_id is ""'],
  ['a card that nobody knows', { card_token: '4111' }, 'card_token is not a card'],
  ['no key', { idempotency_key: '' }, 'idempotency_key has 0 characters'],
  ['a key with U+0000', { idempotency_key: 'a\u0000b' }, 'idempotency_key is "a\\u0000b"; control characters'],
])('a charge of %s is refused with the field and what is allowed', async (_what, change, message) => {
  const error = await failure(server.payments.charge(charge(change), admin));
  expect(error.code).toBe('INVALID_ARGUMENT');
  expect(error.message).toContain(message);
});

test('a charge happens once a key, and the key is for that charge', async () => {
  const [one, same] = await Promise.all([1, 2].map(() => server.payments.charge(charge({}), admin)));
  expect(same).toEqual(one);
  const other = charge({ amount: { currency_code: 'EUR', minor_units: '1' } });
  expect(await failure(server.payments.charge(other, admin))).toMatchObject({
    code: 'ALREADY_EXISTS',
    details: { reason: 'KEY_REUSED' },
  });
});

test('a refund happens once, its key is for that payment, and what was not approved is not given back', async () => {
  const approved = async (key: string) =>
    (await server.payments.charge(charge({ idempotency_key: key }), admin)).payment!.id;
  const [one, other] = [await approved('one'), await approved('other')];
  const back = { payment_id: one, idempotency_key: 'back' };
  const [first, second] = await Promise.all([1, 2].map(() => server.payments.refund(back, admin)));
  expect(first?.payment).toMatchObject({ id: one, state: 'REFUNDED' });
  expect(second).toEqual(first);
  expect(await failure(server.payments.refund({ ...back, payment_id: other }, admin))).toMatchObject({
    code: 'ALREADY_EXISTS',
    details: { reason: 'KEY_REUSED' },
  });
  const declined = await server.payments.charge(charge({ idempotency_key: 'no', card_token: 'tok_decline' }), admin);
  expect(await failure(server.payments.refund({ payment_id: declined.payment!.id }, admin))).toMatchObject({
    code: 'FAILED_PRECONDITION',
    message: `payment ${declined.payment!.id} is DECLINED; only APPROVED ones can be refunded`,
  });
});

test('an event is believed only where the provider has signed it, and changes nothing that is decided', async () => {
  const { payment } = await server.payments.charge(charge({ idempotency_key: 'event' }), admin);
  const body = JSON.stringify({ payment_id: payment!.id, outcome: 'declined', reason: 'forged' });
  const signature = createHmac('sha256', webhookSecret).update(body).digest('hex');
  for (const wrong of ['', 'x', signature.replace(/^./, (digit) => (digit === '0' ? '1' : '0'))])
    expect((await failure(server.payments.receiveEvent({ body, signature: wrong }))).code).toBe('PERMISSION_DENIED');
  await server.payments.receiveEvent({ body, signature });
  expect((await server.payments.getPayment({ id: payment!.id }, admin)).payment?.state).toBe('APPROVED');
});

test('ids and keys with U+0000 are refused, and whoever travels with them is not', async () => {
  const { orders, payments } = server;
  const calls = [
    orders.getOrder({ id: '\u0000' }, buyer),
    orders.cancelOrder({ id: '\u0000' }, buyer),
    orders.createOrder(wanted('tok_approve', 1, 'a\u0000b'), buyer),
    payments.getPayment({ id: '\u0000' }, buyer),
    payments.refund({ payment_id: '\u0000' }, admin),
  ];
  expect(await Promise.all(calls.map(async (call) => (await failure(call)).code))).toEqual(
    calls.map(() => 'INVALID_ARGUMENT'),
  );
});
