/** Every service a process of its own, two of chat, on PostgreSQL and Redis: what the chart runs, without a cluster. */
// biome-ignore-all lint/suspicious/noExplicitAny: answers are looked at as a client without types does.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startRedis } from '@parley/chat/testing/redis';
import { makeKeys } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { jsonRequest, type SentJson } from '@parley/kit/testing/http';
import { startPostgres } from '@parley/kit/testing/postgres';
import { expect, test } from 'vitest';
import { type RunningParley, startParley } from './testing/parley.ts';

let gateway: RunningParley;
let chats: RunningParley[];
let postgres: Awaited<ReturnType<typeof startPostgres>>;
sharedFixture(async (stack) => {
  const keys = mkdtempSync(join(tmpdir(), 'parley-keys-'));
  stack.defer(() => rmSync(keys, { recursive: true }));
  makeKeys(keys);
  postgres = stack.use(await startPostgres());
  const redis = stack.use(await startRedis({}));
  const common = { PARLEY_JWT_KEYS: keys, DATABASE_URL: postgres.url, REDIS_URL: redis.url, PARLEY_ROOMS: 'open' };
  const start = async (what: string, env: Record<string, string> = {}) =>
    stack.use(await startParley(what, { ...common, ...env }));
  const user = await start('user', { PARLEY_ADMIN_USERNAME: 'root', PARLEY_ADMIN_PASSWORD: 'correct horse' });
  const payment = await start('payment');
  chats = await Promise.all([1, 2].map(() => start('chat', { PARLEY_USER_ADDRESS: user.grpc })));
  const chat = `static:///${chats.map(({ grpc }) => grpc).join(',')}`;
  const addresses = {
    PARLEY_USER_ADDRESS: user.grpc,
    PARLEY_CHAT_ADDRESS: chat,
    PARLEY_PAYMENT_ADDRESS: payment.grpc,
  };
  const order = await start('order', addresses);
  gateway = await start('gateway', { ...addresses, PARLEY_ORDER_ADDRESS: order.grpc });
});

interface Answer {
  status: number;
  body: any;
}
async function http(method: string, path: string, ...sent: SentJson): Promise<Answer> {
  const response = await fetch(new URL(path, gateway.http), jsonRequest(method, ...sent));
  return { status: response.status, body: await response.json() };
}
let count = 0;
async function register() {
  const username = `buyer-${++count}`;
  const { body } = await http('POST', '/v1/auth/register', {
    username,
    email: `${username}@example.com`,
    password: 'correct horse battery',
  });
  return { username, token: body.access_token as string, id: body.user.id as string };
}

test('who is not signed in may not come in', async () => {
  expect((await http('GET', '/v1/rooms')).status).toBe(401);
  expect((await http('GET', '/v1/users')).status).toBe(401);
  expect((await http('POST', '/v1/orders', { items: [] })).status).toBe(401);
});

test('an order is paid once, and its buyer is told in a room of his own', async () => {
  const buyer = await register();
  const order = { items: [{ product_id: 'mug', quantity: 2 }], card_token: 'tok_approve' };
  const key = { 'idempotency-key': 'my-order' };
  const [first, second] = await Promise.all([1, 2].map(() => http('POST', '/v1/orders', order, buyer.token, key)));
  expect(first).toMatchObject({
    status: 200,
    body: { order: { state: 'PENDING', total: { currency_code: 'EUR', minor_units: '2580' } } },
  });
  expect(second).toEqual(first);
  const { id } = first!.body.order;
  const state = async () => (await http('GET', `/v1/orders/${id}`, undefined, buyer.token)).body.order.state;
  await expect.poll(state, { timeout: 20_000 }).toBe('PAID');
  const told = async () =>
    ((await http('GET', `/v1/rooms/orders-${buyer.id}/messages`, undefined, buyer.token)).body.messages ?? []).filter(
      (m: any) => m.type === 'MESSAGE_TYPE_SYSTEM',
    );
  await expect.poll(told, { timeout: 20_000 }).toMatchObject([{ content: expect.stringContaining(id) }]);

  const stranger = await register();
  expect((await http('GET', `/v1/orders/${id}`, undefined, stranger.token)).status).toBe(404);
  expect((await http('GET', `/v1/rooms/orders-${buyer.id}/messages`, undefined, stranger.token)).status).toBe(403);
  expect((await http('POST', `/v1/orders/${id}:cancel`, {}, buyer.token)).status).toBe(400);
  expect(
    (await http('POST', '/v1/orders', { ...order, items: [{ product_id: 'mug', quantity: 3 }] }, buyer.token, key))
      .status,
  ).toBe(409);
  const { body } = await http('GET', '/v1/orders', undefined, buyer.token);
  expect(body).toMatchObject({ orders: [{ id }], next_page_token: '' });
  expect(
    (
      await http(
        'GET',
        `/v1/payments/${(await http('GET', `/v1/orders/${id}`, undefined, buyer.token)).body.order.payment_id}`,
        undefined,
        buyer.token,
      )
    ).body,
  ).toMatchObject({ payment: { order_id: id, state: 'APPROVED' } });
});

test('a declined card cancels, with the reason', async () => {
  const buyer = await register();
  const { body } = await http(
    'POST',
    '/v1/orders',
    { items: [{ product_id: 'mug', quantity: 1 }], card_token: 'tok_decline' },
    buyer.token,
  );
  await expect
    .poll(async () => (await http('GET', `/v1/orders/${body.order.id}`, undefined, buyer.token)).body.order, {
      timeout: 20_000,
    })
    .toMatchObject({ state: 'CANCELLED', reason: 'the card was declined' });
});

test('what one pod of chat was told, readers on the other hear; one pod dies, and nothing that was acknowledged is lost', async () => {
  const [alice, bob] = [await register(), await register()];
  const room = 'both-pods';
  const sent: string[] = [];
  const say = async (person: { token: string }, content: string) => {
    const answer = await http(
      'POST',
      `/v1/rooms/${room}/messages`,
      { content, idempotency_key: content },
      person.token,
    );
    if (answer.status === 200) sent.push(content);
    return answer.status;
  };
  const events = await fetch(new URL(`/v1/rooms/${room}/events`, gateway.http), {
    headers: { authorization: `Bearer ${alice.token}` },
  });
  expect(events.status).toBe(200);
  const heard: string[] = [];
  const reading = (async () => {
    const decoder = new TextDecoder();
    for await (const chunk of events.body as unknown as AsyncIterable<Uint8Array>) {
      for (const [, data] of decoder.decode(chunk, { stream: true }).matchAll(/^data: (\{.*"content".*\})$/gm))
        heard.push(JSON.parse(data as string).content);
    }
  })().catch(() => undefined);
  await expect.poll(() => say(bob, 'hello 0')).toBe(200);
  for (let i = 1; i <= 20; i++) await say(i % 2 ? alice : bob, `hello ${i}`);
  await chats[0]!.end('SIGKILL');
  for (let i = 21; i <= 40; i++)
    await expect.poll(() => say(i % 2 ? alice : bob, `hello ${i}`), { timeout: 20_000 }).toBe(200);
  await expect.poll(() => heard, { timeout: 30_000 }).toEqual(sent);
  const { body } = await http('GET', `/v1/rooms/${room}/messages?limit=200`, undefined, bob.token);
  expect(body.messages.map(({ content }: { content: string }) => content).filter(Boolean)).toEqual(sent);
  await events.body?.cancel().catch(() => undefined);
  void reading;
});

test('PostgreSQL dies: no process ends, calls fail with 503 and when to try again, and all is well when it is back', async () => {
  const buyer = await register();
  await postgres.kill();
  const away = await fetch(new URL('/v1/orders', gateway.http), {
    headers: { authorization: `Bearer ${buyer.token}` },
  });
  expect(away.status).toBe(503);
  expect(away.headers.get('retry-after')).toMatch(/^\d+$/);
  await postgres.start();
  await expect
    .poll(async () => (await http('GET', '/v1/orders', undefined, buyer.token)).status, { timeout: 20_000 })
    .toBe(200);
});
