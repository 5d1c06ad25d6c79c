import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestSocket, until } from '../fixture/socket.ts';
import { startWorld, type World } from '../fixture/start.ts';

let world: World;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const alice = () => TestSocket.hello(world.url, world.token('7', 'alice'));
const bob = () => TestSocket.hello(world.url, world.token('8', 'bob'));

test('hello is answered with who one is, and a guest gets a name', async () => {
  await using signedIn = await TestSocket.open(world.url);
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
