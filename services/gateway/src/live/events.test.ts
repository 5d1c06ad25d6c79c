import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { until } from '../fixture/socket.ts';
import { startWorld, type World } from '../fixture/start.ts';

let world: World;
sharedFixture(async (stack) => {
  world = stack.use(await startWorld());
});

interface Event {
  id?: string;
  event?: string;
  data: Record<string, unknown>;
}

class Listener implements AsyncDisposable {
  readonly events: Event[] = [];
  over = false;
  readonly response: Response;
  readonly #aborted: AbortController;

  constructor(response: Response, aborted: AbortController) {
    this.response = response;
    this.#aborted = aborted;
    const over = () => {
      this.over = true;
    };
    this.#read().then(over, over);
  }

  static async open(path: string, headers: Record<string, string> = {}, url = world.url): Promise<Listener> {
    const aborted = new AbortController();
    return new Listener(await fetch(url + path, { headers, signal: aborted.signal }), aborted);
  }

  contents(): unknown[] {
    return this.events.filter(({ event }) => event === 'message').map(({ data }) => data.content);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#aborted.abort();
  }

  async #read(): Promise<void> {
    let text = '';
    for await (const chunk of this.response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      const parts = text.split('\n\n');
      text = parts.pop()!;
      for (const part of parts.filter((one) => !one.startsWith(':'))) {
        const fields = Object.fromEntries(part.split('\n').map((line) => line.split(/: (.*)/s, 2)));
        this.events.push({ ...fields, data: JSON.parse(fields.data) });
      }
    }
  }
}

const say = (roomId: string, ...contents: string[]) => {
  for (const content of contents) world.store.append({ room_id: roomId, user_id: '1', content });
};

test('a room’s messages come as events with their cursors, and nobody is there for looking', async () => {
  say('sse', 'one');
  await using listener = await Listener.open('/v1/rooms/sse/events');
  expect(listener.response.headers.get('content-type')).toBe('text/event-stream');
  expect(listener.response.headers.get('content-security-policy')).toContain("default-src 'none'");
  say('sse', 'two');
  await until(() => listener.contents().length === 2);
  expect(listener.events).toMatchObject([
    { id: 'e1-1', event: 'message', data: { content: 'one', sequence: '1' } },
    { id: 'e1-2', event: 'message', data: { content: 'two', room_id: 'sse' } },
  ]);
  expect(world.pods[0]!.heard.filter(({ subscribe }) => subscribe?.room_id === 'sse')).toMatchObject([
    { subscribe: { observe: true } },
  ]);
});

test('Last-Event-ID and ?after= resume', async () => {
  say('again', 'one', 'two', 'three');
  await using byHeader = await Listener.open('/v1/rooms/again/events', { 'last-event-id': 'e1-2' });
  await using byQuery = await Listener.open('/v1/rooms/again/events?after=e1-1');
  say('again', 'four');
  await until(() => byHeader.contents().length === 2 && byQuery.contents().length === 3);
  expect(byHeader.contents()).toEqual(['three', 'four']);
  expect(byQuery.contents()).toEqual(['two', 'three', 'four']);
});

test('lost history is told before what is kept', async () => {
  say('lost', 'one');
  await using listener = await Listener.open('/v1/rooms/lost/events?after=old-7');
  await until(() => listener.contents().length === 1);
  expect(listener.events[0]).toEqual({ event: 'history_lost', data: { reason: 'EPOCH_CHANGED' } });
});

test('what is wrong is a problem before it is a stream', async () => {
  world.store.banned.add('closed 7');
  const authorization = `Bearer ${world.token('7', 'alice')}`;
  for (const [path, status] of [
    ['/v1/rooms/../events', 404],
    ['/v1/rooms/a%20b/events', 400],
    ['/v1/rooms/ok/events?after=nowhere', 400],
    ['/v1/rooms/ok/events?from=1', 400],
    ['/v1/rooms/closed/events', 403],
  ] as const) {
    const response = await fetch(world.url + path, { headers: { authorization } });
    expect([path, response.status]).toEqual([path, status]);
    expect(response.headers.get('content-type')).toContain('application/problem+json');
    await response.arrayBuffer();
  }
});

test('a room whose id is as long as it may be has a stream, however it is written; a longer id is told so', async () => {
  const longest = 'r'.repeat(128);
  say(longest, 'one');
  for (const id of [longest, '%72'.repeat(128)]) {
    await using listener = await Listener.open(`/v1/rooms/${id}/events`);
    await until(() => listener.contents().length === 1);
  }
  const response = await fetch(`${world.url}/v1/rooms/${longest}r/events`);
  expect([response.status, await response.json()]).toMatchObject([400, { errors: [{ field: 'room_id' }] }]);
});

test('a stream that ends while it opens is answered with why', async () => {
  await using going = await startWorld();
  const pod = going.pods[0]!;
  pod.held = [];
  const open = (id: string) =>
    fetch(`${going.url}/v1/rooms/slow/events`, { headers: { authorization: `Bearer ${going.token(id, `u${id}`)}` } });
  const [revoked, drained] = [open('2'), open('3')];
  await until(() => pod.held!.length === 2 && going.witness.revocations.size > 0);
  const issued_before = new Date(Date.now() + 1000).toISOString();
  for (const tell of going.witness.revocations) tell({ user_id: '2', issued_before });
  expect(await (await revoked).json()).toMatchObject({ status: 401, code: 'UNAUTHENTICATED' });
  await until(async () => /viewers\{by="events"\} 1/.test(await going.metrics.registry.metrics()));
  await going.gateway.drain!();
  const response = await drained;
  expect([response.headers.get('retry-after'), await response.json()]).toMatchObject(['1', { status: 503 }]);
});

test('without a token a private room asks to sign in', async () => {
  await using world = await startWorld();
  world.store.hidden.add('private');
  world.store.refuses = (roomId, userId) => roomId === 'private' && userId.startsWith('guest-');
  expect((await fetch(`${world.url}/v1/rooms/private/events`)).status).toBe(401);
});

test('a stream ends with its token, with its user’s sign-out, and with the gateway: each says where it stood', async () => {
  say('ending', 'one');
  await using going = await startWorld();
  const token = (id: string, seconds = 900) => ({
    authorization: `Bearer ${going.token(id, `u${id}`, 'member', seconds)}`,
  });
  await using expiring = await Listener.open('/v1/rooms/ending/events', token('1', 4), going.url);
  await using revoked = await Listener.open('/v1/rooms/ending/events', token('2'), going.url);
  await using drained = await Listener.open('/v1/rooms/ending/events', token('3'), going.url);
  going.store.append({ room_id: 'ending', content: 'one' });
  await until(() => [expiring, revoked, drained].every((one) => one.contents().length === 1));
  await until(() => going.witness.revocations.size > 0);
  const issued_before = new Date(Date.now() + 1000).toISOString();
  for (const tell of going.witness.revocations) tell({ user_id: '2', issued_before });
  await until(() => revoked.over && expiring.over);
  await going.gateway.drain!();
  await until(() => drained.over);
  const last = (one: Listener) => one.events.at(-1);
  expect(last(expiring)).toEqual({ event: 'closed', data: { code: 'UNAUTHENTICATED', cursor: 'e1-1' } });
  expect(last(revoked)).toEqual({ event: 'closed', data: { code: 'UNAUTHENTICATED', cursor: 'e1-1' } });
  expect(last(drained)).toEqual({ event: 'closed', data: { code: 'UNAVAILABLE', cursor: 'e1-1' } });
});

test('without a token there is nothing to see where sign-in is required', async () => {
  await using strict = await startWorld({ authMode: 'required' });
  expect((await fetch(`${strict.url}/v1/rooms/r/events`)).status).toBe(401);
});
