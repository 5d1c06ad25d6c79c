import { afterEach, beforeEach, expect, test } from 'vitest';
import { TestSocket, until } from '../fixture/socket.ts';
import { startWorld, type World } from '../fixture/start.ts';

let world: World;
beforeEach(async () => {
  world = await startWorld();
});
afterEach(() => world[Symbol.asyncDispose]());

const join = async (userId: string, roomId: string, after = ''): Promise<TestSocket> => {
  const socket = await TestSocket.hello(world.url, world.token(userId, `user ${userId}`));
  const { event, error } = await socket.ask({ subscribe: { room_id: roomId, after } });
  if (error) throw new Error(error.code);
  expect(event?.opened).toBeDefined();
  return socket;
};
const say = (roomId: string, from: number, to: number) => {
  for (let n = from; n <= to; n++) world.store.append({ room_id: roomId, content: String(n) });
};
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => String(from + n));
const lost = (socket: TestSocket) =>
  socket.frames
    .map(({ event }) => event?.opened?.history_lost)
    .filter((reason) => reason && reason !== 'HISTORY_LOST_UNSPECIFIED');
const subscribes = (roomId: string) => world.pods[0]!.heard.filter(({ subscribe }) => subscribe?.room_id === roomId);

test('viewers of a room share one feed: chat hears of each member once', async () => {
  await using a = await join('1', 'r');
  await using b = await join('2', 'r');
  await using again = await join('1', 'r');
  expect(subscribes('r').map(({ subscribe }) => subscribe!.user_id)).toEqual(['1', '2']);
  expect([...world.pods[0]!.connections].filter(({ feeds }) => feeds.has('r'))).toHaveLength(1);
  say('r', 1, 3);
  for (const one of [a, b, again]) await until(() => one.contents('r').length === 3);
});

test('a member is there until his last window has gone', async () => {
  await using watcher = await join('9', 'r');
  const a = await join('1', 'r');
  const again = await join('1', 'r');
  await a[Symbol.asyncDispose]();
  expect((await watcher.ask({ hello: { token: world.token('9', 'user 9') } })).welcome).toBeDefined();
  expect(world.pods[0]!.members('r')).toEqual(['9', '1']);
  await again[Symbol.asyncDispose]();
  await until(() => world.pods[0]!.members('r').length === 1);
});

test('who comes without a cursor sees the history first, read once for all who come together', async () => {
  say('r', 1, 70);
  await using first = await join('1', 'r');
  await until(() => first.contents('r').length === 50);
  const before = world.pods[0]!.listed;
  const crowd = await Promise.all(numbers(10, 29).map((id) => join(id, 'r')));
  for (const one of crowd) await until(() => one.contents('r').length === 50);
  say('r', 71, 72);
  for (const one of [first, ...crowd]) {
    await until(() => one.contents('r').length === 52);
    expect(one.contents('r')).toEqual(numbers(21, 72));
    await one[Symbol.asyncDispose]();
  }
  expect(world.pods[0]!.listed - before).toBeLessThan(20);
});

test('who resumes gets what he missed and what comes: from the gateway’s memory, and from the log beyond it', async () => {
  say('r', 1, 700);
  await using live = await join('1', 'r', 'e1-690');
  say('r', 701, 720);
  await until(() => live.contents('r').length === 30);
  const before = world.pods[0]!.listed;
  await using near = await join('2', 'r', 'e1-700');
  await using beside = await join('4', 'r', 'e1-705');
  // Whether that is kept is asked once for both.
  expect(world.pods[0]!.listed).toBe(before + 1);
  await using far = await join('3', 'r', 'e1-5');
  say('r', 721, 725);
  await until(() => near.contents('r').length === 25 && far.contents('r').length === 720);
  await until(() => beside.contents('r').length === 20);
  expect(near.contents('r')).toEqual(numbers(701, 725));
  expect(far.contents('r')).toEqual(numbers(6, 725));
  expect([near, far].flatMap(lost)).toEqual([]);
});

test('a cursor ahead of the gateway’s feed is no reason to repeat anything', async () => {
  await using live = await join('1', 'r');
  await using ahead = await join('2', 'r', 'e1-2');
  say('r', 1, 4);
  await until(() => live.contents('r').length === 4 && ahead.contents('r').length === 2);
  expect(ahead.contents('r')).toEqual(['3', '4']);
});

for (const how of ['politely', 'without a word'] as const) {
  test(`chat goes ${how}: viewers notice a pause and nothing else`, async () => {
    await using a = await join('1', 'r');
    await using b = await join('2', 'r');
    say('r', 1, 5);
    for (let round = 0; round < 5; round++) {
      const from = 6 + round * 20;
      say('r', from, from + 9);
      world.pods[0]!.breakStreams(how === 'politely');
      say('r', from + 10, from + 19);
      await until(() => world.pods[0]!.members('r').length === 2);
    }
    for (const one of [a, b]) {
      await until(() => one.contents('r').length >= 105);
      expect(one.contents('r')).toEqual(numbers(1, 105));
      expect(one.frames.filter(({ event }) => event?.closed || event?.opened)).toHaveLength(1);
    }
  });
}

test('chat answers a subscribe long after nobody waits for it any more: viewers miss nothing', async () => {
  const pod = world.pods[0]!;
  await using a = await join('1', 'r');
  say('r', 1, 3);
  await until(() => a.contents('r').length === 3);
  const held: (() => void)[] = [];
  pod.held = held;
  pod.breakStreams(false);
  // The first is given up, and asked again.
  await expect.poll(() => held.length, { timeout: 30_000 }).toBe(2);
  pod.held = undefined;
  held[0]!();
  say('r', 4, 6);
  held[1]!();
  say('r', 7, 9);
  await until(() => a.contents('r').includes('9'));
  expect(a.contents('r')).toEqual(numbers(1, 9));
});

test('what was being sent when the stream broke is sent again, and counts once', async () => {
  await using a = await join('1', 'r');
  // Fewer than the frames that a socket may send at once.
  const answers = numbers(1, 150).map((content) => a.ask({ send: { room_id: 'r', content } }));
  await until(() => a.contents('r').length > 20);
  world.pods[0]!.breakStreams(false);
  const sent = await Promise.all(answers);
  expect(sent.every((frame) => frame.sent?.success)).toBe(true);
  await until(() => a.contents('r').length >= 150);
  expect(a.contents('r').toSorted()).toEqual(numbers(1, 150).toSorted());
});

test('a lost log is told to everybody, and what is kept follows', async () => {
  await using a = await join('1', 'r');
  say('r', 1, 3);
  await until(() => a.contents('r').length === 3);
  const log = world.store.room('r');
  Object.assign(log, { epoch: 'e2', messages: [], keys: new Map() });
  say('r', 100, 101);
  world.pods[0]!.breakStreams(false);
  await until(() => a.contents('r').length === 5);
  expect(a.contents('r')).toEqual(['1', '2', '3', '100', '101']);
  expect(lost(a)).toEqual(['HISTORY_LOST_EPOCH_CHANGED']);
  await using late = await join('2', 'r', 'e1-2');
  await until(() => late.contents('r').length === 2);
  expect(lost(late)).toEqual(['HISTORY_LOST_EPOCH_CHANGED']);
});

test('a cursor older than what is kept is told so', async () => {
  world.store.room('r').kept = 10;
  say('r', 1, 30);
  await using first = await join('1', 'r', 'e1-3');
  await until(() => first.contents('r').length >= 10);
  expect(lost(first)).toEqual(['HISTORY_LOST_TRIMMED']);
  expect(first.contents('r')).toEqual(numbers(21, 30));
});

test('what a room does not keep any more is not shown to who resumes, though it is still at hand', async () => {
  const log = world.store.room('r');
  await using watching = await join('1', 'r', 'e1-0');
  say('r', 1, 30);
  await until(() => watching.contents('r').length === 30);
  log.kept = 10;
  await using late = await join('2', 'r', 'e1-3');
  await until(() => late.contents('r').length >= 10);
  expect(lost(late)).toEqual(['HISTORY_LOST_TRIMMED']);
  expect(late.contents('r')).toEqual(numbers(21, 30));
  await using still = await join('3', 'r', 'e1-25');
  await until(() => still.contents('r').length === 5);
  expect(lost(still)).toEqual([]);
});

test('who may not enter hears why; who is sent away is closed, and the others stay', async () => {
  world.store.banned.add('r 66');
  await using a = await join('1', 'r');
  await expect(join('66', 'r')).rejects.toThrow('PERMISSION_DENIED');
  await using sentAway = await join('2', 'r');
  world.pods[0]!.closeMember('r', '2', 'PERMISSION_DENIED');
  const { event } = await sentAway.frame((frame) => Boolean(frame.event?.closed));
  expect(event).toMatchObject({ room_id: 'r', closed: { code: 'PERMISSION_DENIED' } });
  say('r', 1, 1);
  await until(() => a.contents('r').length === 1);
  expect(sentAway.contents('r')).toEqual([]);
});

test('the first who comes may be refused, and the second opens the room', async () => {
  world.store.banned.add('r 66');
  say('r', 1, 2);
  const [refused, entered] = await Promise.allSettled([join('66', 'r'), join('1', 'r')]);
  expect(refused.status).toBe('rejected');
  const socket = (entered as PromiseFulfilledResult<TestSocket>).value;
  say('r', 3, 3);
  await until(() => socket.contents('r').length === 3);
  await socket[Symbol.asyncDispose]();
});

test('whoever comes is welcomed once, also where somebody who looked opened the feed; who resumes is not', async () => {
  const began = new Date().toISOString();
  say('r', 1, 3);
  world.store.room('r').welcome = 'Welcome!';
  await using looker = await TestSocket.hello(world.url, world.token('9', 'user 9'));
  await looker.ask({ subscribe: { room_id: 'r', after: 'e1-3', observe: true } });
  await using a = await join('1', 'r');
  await using back = await join('2', 'r', 'e1-3');
  say('r', 4, 4);
  for (const [one, contents] of [
    [a, ['1', '2', '3', 'Welcome!', '4']],
    [back, ['4']],
    [looker, ['4']],
  ] as const) {
    await until(() => one.contents('r').includes('4'));
    expect(one.contents('r')).toEqual(contents);
  }
  const welcome = (socket: TestSocket) =>
    socket.frames.flatMap(({ event }) => event?.messages ?? []).find(({ sequence }) => sequence === '0');
  expect(welcome(a)!.timestamp >= began).toBe(true);
  world.pods[0]!.greet('r', 'Come in!');
  say('r', 5, 5);
  await until(() => a.contents('r').includes('5'));
  await using later = await join('3', 'r');
  await until(() => welcome(later));
  expect(welcome(later)!.content).toBe('Come in!');
  expect(a.contents('r').filter((content) => /!/.test(content))).toEqual(['Welcome!']);
  world.pods[0]!.breakStreams(false);
  world.store.room('r').welcome = '';
  await until(() => world.pods[0]!.members('r').length === 4);
  await using last = await join('4', 'r');
  say('r', 6, 6);
  await until(() => last.contents('r').includes('6'));
  expect(welcome(last)).toBeUndefined();
});

test('a removed message is blank for who resumes', async () => {
  await using a = await join('1', 'r', 'e1-0');
  say('r', 1, 3);
  world.store.append({ room_id: 'r', type: 'MESSAGE_TYPE_REMOVED', target_id: 'me1-2' });
  await until(() => a.contents('r').length === 4);
  await using b = await join('2', 'r', 'e1-0');
  await until(() => b.contents('r').length === 4);
  expect(b.contents('r')).toEqual(['1', '', '3', '']);
});

test('a room that nobody looks at any more is let go, and can be opened again', async () => {
  const a = await join('1', 'r');
  await a.ask({ unsubscribe: { room_id: 'r' } });
  await until(() => [...world.pods[0]!.connections].every(({ feeds }) => !feeds.has('r')));
  say('r', 1, 2);
  await a.ask({ subscribe: { room_id: 'r' } });
  await until(() => a.contents('r').length === 2);
  await a[Symbol.asyncDispose]();
});

test('who goes before he is let in is not there afterwards', async () => {
  await using stays = await join('1', 'r');
  world.pods[0]!.breakStreams(false);
  const goes = await TestSocket.hello(world.url, world.token('2', 'user 2'));
  goes.send({ ref: 's', subscribe: { room_id: 'r' } });
  await goes.ask({ hello: { token: world.token('2', 'user 2') } });
  await goes[Symbol.asyncDispose]();
  say('r', 1, 1);
  await until(() => stays.contents('r').length === 1);
  await until(() => world.pods[0]!.members('r').join() === '1');
});

test('whatever happens, every reader sees every message once and in order', async () => {
  const rooms = ['x', 'y', 'z'];
  let seed = 42;
  const dice = (sides: number) => {
    seed = (seed * 1103515245 + 12345) % 2 ** 31;
    return seed % sides;
  };
  const readers: { socket: TestSocket; roomId: string; from: number }[] = [];
  const length = (roomId: string) => world.store.room(roomId).messages.length;
  for (let step = 0; step < 300; step++) {
    const roomId = rooms[dice(3)]!;
    const move = dice(20);
    if (move < 12) say(roomId, length(roomId) + 1, length(roomId) + 1 + dice(10));
    else if (move < 16) {
      const from = dice(length(roomId) + 1);
      readers.push({ socket: await join(String(1 + dice(12)), roomId, `e1-${from}`), roomId, from });
    } else if (move < 17 && readers.length > 5)
      await readers.splice(dice(readers.length), 1)[0]!.socket[Symbol.asyncDispose]();
    else if (move < 18) world.pods[0]!.breakStreams(dice(2) === 0);
    else await new Promise((resolve) => setImmediate(resolve));
  }
  expect(readers.length).toBeGreaterThan(10);
  for (const { socket, roomId, from } of readers) {
    await until(() => socket.contents(roomId).length >= length(roomId) - from);
    expect(socket.contents(roomId)).toEqual(numbers(from + 1, length(roomId)));
    expect(socket.frames.filter(({ event }) => event?.closed)).toEqual([]);
    await socket[Symbol.asyncDispose]();
  }
});
