import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { TestSocket, until } from '../fixture/socket.ts';
import { startWorld, type World } from '../fixture/start.ts';
import { subprotocol } from './websocket.ts';

let world: World;
sharedFixture(async (stack) => {
  world = stack.use(await startWorld());
});

const alice = () => TestSocket.hello(world.url, world.token('7', 'alice'));
const bob = () => TestSocket.hello(world.url, world.token('8', 'bob'));
const refusal = (code: string) => ({ error: { code } });

test('hello is answered with who one is, and a guest gets a name and keeps it', async () => {
  await using signedIn = await TestSocket.open(world.url);
  expect(signedIn.socket.protocol).toBe(subprotocol);
  expect(await signedIn.ask({ hello: { token: world.token('7', 'alice') } })).toEqual({
    ref: 't1',
    welcome: { user_id: '7', username: 'alice' },
  });
  await using guest = await TestSocket.open(world.url);
  const { welcome } = await guest.ask({ hello: { token: '' } });
  expect(welcome!.user_id).toMatch(/^guest-/);
  expect((await guest.ask({ hello: {} })).welcome).toEqual(welcome);
});

test('what is sent reaches everybody in the room once and in order, the sender too', async () => {
  await using a = await alice();
  await using b = await bob();
  for (const one of [a, b]) expect((await one.ask({ subscribe: { room_id: 'talk' } })).event?.opened).toBeDefined();
  for (let n = 1; n <= 20; n++) {
    const { sent } = await (n % 2 ? a : b).ask({ send: { room_id: 'talk', content: `line ${n}` } });
    expect(sent).toMatchObject({ success: true, sequence: String(n) });
  }
  const lines = Array.from({ length: 20 }, (_, n) => `line ${n + 1}`);
  await until(() => a.contents('talk').length >= 20 && b.contents('talk').length >= 20);
  expect(a.contents('talk')).toEqual(lines);
  expect(b.contents('talk')).toEqual(lines);
});

test('nobody speaks as somebody else: neither a member, nor a guest in a registered name', async () => {
  await using a = await alice();
  expect(await a.ask({ send: { room_id: 'names', user_id: '8', content: 'x' } })).toMatchObject(
    refusal('PERMISSION_DENIED'),
  );
  expect(await a.ask({ subscribe: { room_id: 'names', username: 'bob' } })).toMatchObject(refusal('PERMISSION_DENIED'));
  await using guest = await TestSocket.hello(world.url);
  expect(await guest.ask({ send: { room_id: 'names', username: 'alice', content: 'x' } })).toMatchObject(
    refusal('PERMISSION_DENIED'),
  );
  expect(await guest.ask({ send: { room_id: 'names', user_id: '7', content: 'x' } })).toMatchObject(
    refusal('PERMISSION_DENIED'),
  );
  const { sent } = await guest.ask({ send: { room_id: 'names', user_id: 'me', username: 'Me', content: 'x' } });
  expect(sent?.success).toBe(true);
  expect(world.store.room('names').messages.at(-1)).toMatchObject({ user_id: 'me', username: 'Me' });
});

test('a guest’s names and room are as short as over REST before anybody is asked about them', async () => {
  await using guest = await TestSocket.hello(world.url);
  const named = (names: object) => guest.ask({ send: { room_id: 'names', content: 'x', ...names } });
  const long = 'é'.repeat(30_000);
  for (const [names, says] of [
    [{ username: long }, 'username is 30000 characters; 1 to 128 are allowed'],
    [{ user_id: 'x'.repeat(129) }, 'user_id is 129 characters; 1 to 128 are allowed'],
    [{ room_id: 'x'.repeat(129), user_id: '55' }, 'room_id is'],
  ] as const) {
    const { error } = await named(names);
    expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(says) });
  }
  expect((await named({ user_id: 'x'.repeat(128), username: 'é'.repeat(128) })).sent?.success).toBe(true);
});

test('a guest who takes the id of a user without a password does not see what is for members', async () => {
  world.store.hidden.add('members-only');
  await using guest = await TestSocket.hello(world.url);
  expect(await guest.ask({ subscribe: { room_id: 'members-only', user_id: '55', username: 'x' } })).toMatchObject(
    refusal('UNAUTHENTICATED'),
  );
  world.store.hidden.delete('members-only');
});

test('a guest at a private room hears that he is to sign in; a member who is none of the room’s, that he may not', async () => {
  world.store.hidden.add('private');
  await using guest = await TestSocket.hello(world.url);
  const { user_id } = (await guest.ask({ hello: {} })).welcome!;
  for (const id of [user_id, '8']) world.store.banned.add(`private ${id}`);
  expect(await guest.ask({ subscribe: { room_id: 'private' } })).toMatchObject(refusal('UNAUTHENTICATED'));
  await using member = await bob();
  expect(await member.ask({ subscribe: { room_id: 'private' } })).toMatchObject(refusal('PERMISSION_DENIED'));
  world.store.hidden.delete('private');
});

test('an admin asks chat as himself', async () => {
  await using admin = await TestSocket.hello(world.url, world.token('1', 'root', 'admin'));
  await admin.ask({ subscribe: { room_id: 'any' } });
  const asked = [...world.pods[0]!.connections].filter(({ caller }) => caller.kind === 'user');
  expect(asked.map(({ caller }) => caller)).toMatchObject([{ userId: '1', role: 'admin' }]);
});

test('typing is heard by the others, and by those in the room only', async () => {
  await using a = await alice();
  await using b = await bob();
  expect(await a.ask({ typing: { room_id: 'typing' } })).toMatchObject(refusal('FAILED_PRECONDITION'));
  await a.ask({ subscribe: { room_id: 'typing' } });
  await b.ask({ subscribe: { room_id: 'typing' } });
  expect((await a.ask({ typing: { room_id: 'typing' } })).ack).toBeDefined();
  const { typing } = await b.frame((frame) => frame.typing !== undefined);
  expect(typing).toEqual({ room_id: 'typing', user_id: '7', username: 'alice' });
  expect(a.frames.some((frame) => frame.typing)).toBe(false);
});

test('a read mark is acknowledged, and is nothing for guests', async () => {
  await using a = await alice();
  expect((await a.ask({ read: { room_id: 'talk', cursor: 'e1-1' } })).ack).toEqual({});
  await using guest = await TestSocket.hello(world.url);
  expect(await guest.ask({ read: { room_id: 'talk', cursor: 'e1-1' } })).toMatchObject(refusal('UNAUTHENTICATED'));
});

test('what cannot be read is refused with its ref, and the connection goes on', async () => {
  await using a = await alice();
  for (const [frame, says] of [
    ['{', 'not JSON'],
    ['[]', 'a JSON object is allowed'],
    ['{"ref":"x","shout":{}}', 'shout is not a field'],
    ['{"ref":"x","send":{"room_id":7}}', 'send.room_id is 7; a string is allowed'],
    ['{"ref":"x","send":{"contents":""}}', 'send.contents is not a field'],
    ['{"ref":"x"}', 'exactly one of'],
    ['{"ref":"x","send":{},"typing":{}}', 'exactly one of'],
    ['{"ref":"x","subscribe":{"room_id":"../etc"}}', 'room_id is'],
    ['{"ref":"x","subscribe":{"room_id":"r","after":"nowhere"}}', 'after is'],
  ] as const) {
    const before = a.frames.length;
    a.send(frame);
    await until(() => a.frames.length > before);
    expect(a.frames.at(-1)!.error).toMatchObject({ code: 'INVALID_ARGUMENT', message: expect.stringContaining(says) });
    if (frame.includes('"ref"')) expect(a.frames.at(-1)!.ref).toBe('x');
  }
  a.socket.send(Buffer.from([1, 2, 3]));
  await until(() => a.frames.at(-1)!.error?.message.includes('binary'));
  expect((await a.ask({ send: { room_id: 'talk', content: 'still here' } })).sent?.success).toBe(true);
});

test('before hello nothing is done', async () => {
  await using silent = await TestSocket.open(world.url);
  expect(await silent.ask({ send: { room_id: 'talk', content: 'x' } })).toMatchObject(refusal('UNAUTHENTICATED'));
});

test('a bad token is told so and closes with 4401; so does a token that expires, unless hello renews it', async () => {
  const bad = await TestSocket.open(world.url);
  bad.send({ hello: { token: 'x.y.z' } });
  expect((await until(() => bad.closed)).code).toBe(4401);
  expect(bad.frames[0]).toMatchObject(refusal('UNAUTHENTICATED'));
  await using renewed = await TestSocket.hello(world.url, world.token('7', 'alice', 'member', 2));
  const expiring = await TestSocket.hello(world.url, world.token('8', 'bob', 'member', 2));
  await renewed.ask({ hello: { token: world.token('7', 'alice') } });
  expect((await until(() => expiring.closed)).code).toBe(4401);
  expect(renewed.closed).toBeUndefined();
});

test('who says nothing is closed with 4401 after 10 s', async () => {
  const silent = await TestSocket.open(world.url);
  expect((await until(() => silent.closed, 15_000)).code).toBe(4401);
});

test('a session cannot become another user while it has rooms open', async () => {
  await using a = await alice();
  await a.ask({ subscribe: { room_id: 'talk' } });
  expect(await a.ask({ hello: { token: world.token('8', 'bob') } })).toMatchObject(refusal('PERMISSION_DENIED'));
});

test('a revoked user’s connections close with 4401, and others stay', async () => {
  const revoked = await TestSocket.hello(world.url, world.token('99', 'mallory'));
  await using a = await alice();
  await until(() => world.witness.revocations.size > 0);
  for (const tell of world.witness.revocations) {
    tell({ user_id: '99', issued_before: new Date(Date.now() + 1000).toISOString() });
  }
  expect((await until(() => revoked.closed, 5000)).code).toBe(4401);
  expect(a.closed).toBeUndefined();
});

test('a frame over 64 KiB closes with 1009, text that is not UTF-8 with 1007', async () => {
  const big = await alice();
  big.send({ send: { room_id: 'talk', content: 'x'.repeat(64 * 1024) } });
  expect((await until(() => big.closed)).code).toBe(1009);
  const garbled = await alice();
  garbled.socket.send(Buffer.from([0xc3, 0x28]), { binary: false });
  expect((await until(() => garbled.closed)).code).toBe(1007);
});

test('a page of another origin is refused before the upgrade, and so is another subprotocol', async () => {
  await expect(TestSocket.open(world.url, { origin: 'https://evil.example' })).rejects.toThrow('403');
  await expect(TestSocket.open(world.url, { protocol: 'mqtt' })).rejects.toThrow('400');
  await using own = await TestSocket.open(world.url, { origin: world.url });
  expect((await own.ask({ hello: {} })).welcome).toBeDefined();
});

test('a flood of frames is refused with when to go on', async () => {
  await using quick = await startWorld({ env: { PARLEY_FRAMES_PER_SECOND: '10' } });
  await using a = await TestSocket.hello(quick.url);
  for (let n = 0; n < 40; n++) a.send({ ref: `f${n}`, send: { room_id: 'r', content: 'x' } });
  const { error } = await a.frame((frame) => frame.error !== undefined);
  expect(error).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  expect(Number(error!.retry_after_ms)).toBeGreaterThan(0);
});

test('a viewer who stops reading is closed, and the others get everything', async () => {
  await using a = await alice();
  await a.ask({ subscribe: { room_id: 'flood' } });
  const slow = await bob();
  await slow.ask({ subscribe: { room_id: 'flood' } });
  slow.socket.pause();
  const text = 'x'.repeat(16_000);
  const wanted = 1200;
  for (let n = 0; n < wanted; n++) world.store.append({ room_id: 'flood', content: `${n} ${text}` });
  await until(() => a.contents('flood').length >= wanted);
  await until(async () => /parley_gateway_slow_viewers_total 1/.test(await world.metrics.registry.metrics()));
  slow.socket.resume();
  await until(() => slow.closed);
  expect(slow.contents('flood').length).toBeLessThan(wanted);
});

test('a gateway that goes tells every room where it stands, and closes with 1001', async () => {
  const going = await startWorld();
  const a = await TestSocket.hello(going.url);
  await a.ask({ subscribe: { room_id: 'one' } });
  await a.ask({ send: { room_id: 'one', content: 'hello' } });
  await until(() => a.contents('one').length === 1);
  await going.gateway.drain!();
  expect((await until(() => a.closed)).code).toBe(1001);
  expect(a.frames.at(-1)).toEqual({
    event: { room_id: 'one', messages: [], closed: { code: 'UNAVAILABLE', cursor: 'e1-1' } },
  });
  await going[Symbol.asyncDispose]();
});
