// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
import { describe, type ExpectStatic, test } from 'vitest';
import { apply, channel, http, kubectl, register, resource, room, url } from './cluster.ts';

/** A WebSocket that has said hello, and what it hears. */
async function websocket(token: string, expect: ExpectStatic) {
  const socket = new WebSocket(`${url.replace('http', 'ws')}/v1/ws`, 'parley.v1.json');
  const heard: any[] = [];
  socket.onmessage = ({ data }) => heard.push(JSON.parse(data));
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = reject;
  });
  const send = (frame: object) => socket.send(JSON.stringify(frame));
  send({ hello: { token } });
  await expect.poll(() => heard[0]).toMatchObject({ welcome: {} });
  const texts = () =>
    heard.flatMap(({ event }) => event?.messages ?? []).map(({ content }: { content: string }) => content);
  return { send, heard, texts, close: () => socket.close() };
}

describe.concurrent('chat from outside', () => {
  test('a message by REST is heard by WebSocket, by server-sent events and by gRPC, and kubectl get rooms counts it', async ({
    expect,
  }) => {
    await apply(room('outside'));
    const [ada, bob] = [await register(), await register()];
    await expect.poll(async () => (await http('GET', '/v1/rooms/outside', undefined, ada.token)).status).toBe(200);
    const socket = await websocket(bob.token, expect);
    socket.send({ ref: '1', subscribe: { room_id: 'outside' } });
    await expect.poll(() => socket.heard.some(({ ref }) => ref === '1')).toBe(true);

    using grpc = channel(() => bob.token);
    const byGrpc: string[] = [];
    const stream = grpc.client('chat.ChatService').subscribe({ room_id: 'outside', observe: true });
    void stream.each(({ messages }) => byGrpc.push(...messages.map(({ content }) => content))).catch(() => undefined);

    const events = await fetch(new URL('/v1/rooms/outside/events', url), {
      headers: { authorization: `Bearer ${ada.token}` },
    });
    let bySse = '';
    const reading = (async () => {
      for await (const chunk of events.body as unknown as AsyncIterable<Uint8Array>)
        bySse += Buffer.from(chunk).toString();
    })().catch(() => undefined);

    expect((await http('POST', '/v1/rooms/outside/messages', { content: 'by REST' }, ada.token)).status).toBe(200);
    socket.send({ ref: '2', send: { room_id: 'outside', content: 'by WebSocket' } });
    await grpc.client('chat.ChatService').sendMessage({ room_id: 'outside', content: 'by gRPC' });
    for (const content of ['by REST', 'by WebSocket', 'by gRPC']) {
      await expect.poll(socket.texts, { timeout: 20_000 }).toContain(content);
      await expect.poll(() => byGrpc, { timeout: 20_000 }).toContain(content);
      await expect.poll(() => bySse, { timeout: 20_000 }).toContain(content);
    }
    socket.close();
    stream.cancel();
    await events.body?.cancel().catch(() => undefined);
    void reading;
    const messages = async () => Number((await resource('chatrooms', 'outside')).status.messages);
    await expect.poll(messages, { timeout: 40_000 }).toBe(3);
    expect(await kubectl(['get', 'rooms'])).toMatch(/NAME +ROOM +VISIBILITY +MEMBERS +MESSAGES +READY/);
  });

  test("a room's rules hold: a rate, and who may come in", async ({ expect }) => {
    const ada = await register();
    await apply(room('slow', 'rateLimit: {messagesPerMinute: 1, burst: 2}'));
    await apply(room('closed', 'visibility: private\nmembers: [root]'));
    await expect
      .poll(async () => (await http('POST', '/v1/rooms/slow/messages', { content: 'one' }, ada.token)).status)
      .toBe(200);
    const sent = [];
    for (let i = 0; i < 4; i++)
      sent.push((await http('POST', '/v1/rooms/slow/messages', { content: `more ${i}` }, ada.token)).status);
    expect(sent).toContain(429);
    await expect
      .poll(async () => (await http('POST', '/v1/rooms/closed/messages', { content: 'let me in' }, ada.token)).status)
      .toBe(403);
    expect(
      (await http('GET', '/v1/rooms', undefined, ada.token)).body.rooms.map(({ id }: { id: string }) => id),
    ).not.toContain('closed');
  });

  test('a room that is not declared is not there', async ({ expect }) => {
    const ada = await register();
    expect((await http('POST', '/v1/rooms/nowhere/messages', { content: 'hello?' }, ada.token)).status).toBe(404);
  });

  test('an order is paid', async ({ expect }) => {
    const ada = await register();
    const { body } = await http(
      'POST',
      '/v1/orders',
      { items: [{ product_id: 'mug', quantity: 1 }], card_token: 'tok_approve' },
      ada.token,
    );
    await expect
      .poll(async () => (await http('GET', `/v1/orders/${body.order.id}`, undefined, ada.token)).body.order.state, {
        timeout: 60_000,
      })
      .toBe('PAID');
  });
});
