import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Connection, type ConnectionOptions } from './connection.ts';
import { ParleyError } from './problem.ts';
import type { RoomState } from './room/state.ts';
import { visiblePending } from './room/state.ts';
import { type Fate, TestGateway } from './testing/gateway.ts';

let gateway: TestGateway;
const connections: Connection[] = [];
const limits = { firstMs: 1, longestMs: 20 };

beforeEach(async () => {
  gateway = await TestGateway.start();
});
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.stop();
  await gateway[Symbol.asyncDispose]();
});

function connect(token: string, more: Partial<ConnectionOptions> = {}): Connection {
  const connection = new Connection({ url: gateway.url, credential: async () => ({ token }), limits, ...more });
  connections.push(connection);
  connection.start();
  return connection;
}

const contents = (room: RoomState) => room.messages.map(({ content }) => content);
const logged = (roomId: string) => gateway.log(roomId).map(({ content }) => content);
const until = (condition: () => boolean) => expect.poll(condition, { timeout: 10_000, interval: 2 }).toBe(true);

test('a room shows its history, then what is said, one’s own words included', async () => {
  gateway.say('den', 'bob', 'before');
  const alice = connect('alice');
  alice.join('den');
  await until(() => alice.room('den').messages.length === 1);
  gateway.say('den', 'bob', 'live');
  alice.send('den', 'mine');
  await until(() => alice.room('den').messages.length === 3);
  expect(contents(alice.room('den'))).toEqual(['before', 'live', 'mine']);
  await until(() => alice.room('den').pending.length === 0);
});

test('what was said during an outage is there after it, with no gap and no repeat', async () => {
  const alice = connect('alice');
  alice.join('den');
  gateway.say('den', 'bob', 'one');
  await until(() => alice.room('den').messages.length === 1);
  gateway.dropAll();
  gateway.say('den', 'bob', 'two');
  gateway.say('den', 'bob', 'three');
  await until(() => alice.room('den').messages.length === 3);
  expect(contents(alice.room('den'))).toEqual(['one', 'two', 'three']);
});

test('a message typed while away is sent on return, once', async () => {
  gateway.fate = (frame) => (frame.send && gateway.connections === 1 ? 'after' : 'ok');
  const alice = connect('alice');
  alice.join('den');
  alice.send('den', 'hello');
  expect(alice.room('den').pending).toHaveLength(1);
  await until(() => alice.room('den').pending.length === 0);
  expect(logged('den')).toEqual(['hello']);
  expect(contents(alice.room('den'))).toEqual(['hello']);
});

test('a server that is busy is asked again when it says, with the same key', async () => {
  let asked = 0;
  gateway.fate = (frame) => (frame.send && asked++ < 3 ? 'busy' : 'ok');
  const alice = connect('alice');
  alice.join('den');
  alice.send('den', 'patience');
  alice.send('den', 'is a virtue');
  await until(() => alice.room('den').messages.length === 2);
  expect(logged('den')).toEqual(['patience', 'is a virtue']);
});

test('a refusal is final until one asks again, and holds up nothing', async () => {
  let refusing = true;
  gateway.fate = (frame) => (refusing && frame.send?.content === 'no' ? 'refuse' : 'ok');
  const alice = connect('alice');
  alice.join('den');
  const key = alice.send('den', 'no');
  alice.send('den', 'yes');
  await until(() => alice.room('den').messages.length === 1);
  expect(alice.room('den').pending).toMatchObject([{ key, state: 'failed', error: { code: 'PERMISSION_DENIED' } }]);
  refusing = false;
  alice.retry('den', key);
  await until(() => alice.room('den').pending.length === 0 && alice.room('den').messages.length === 2);
  expect(logged('den')).toEqual(['yes', 'no']);
});

test('what was typed before a reload is brought back: what was refused waits to be asked for again', async () => {
  const alice = connect('alice');
  alice.join('den');
  const error = { code: 'PERMISSION_DENIED', message: 'you are muted' };
  alice.restore('den', { key: 'k1', content: 'in anger', at: 1, error });
  alice.restore('den', { key: 'k2', content: 'on the way', at: 2 });
  await until(() => alice.room('den').messages.length === 1);
  expect(alice.room('den').pending).toMatchObject([{ key: 'k1', at: 1, state: 'failed', error }]);
  alice.retry('den', 'k1');
  await until(() => alice.room('den').messages.length === 2);
  expect(logged('den')).toEqual(['on the way', 'in anger']);
});

test('a message that is too long or blank fails at once and never travels', async () => {
  const alice = connect('alice');
  alice.send('den', 'é'.repeat(8_193));
  alice.send('den', ' \n');
  expect(alice.room('den').pending.map(({ error }) => error?.message)).toEqual([
    'the message is 16,386 bytes long; at most 16,384 are allowed',
    'a message needs some text',
  ]);
});

test('lost history is told, and what was on screen is set apart from the new log', async () => {
  const alice = connect('alice');
  alice.join('den');
  gateway.say('den', 'bob', 'old');
  await until(() => alice.room('den').messages.length === 1);
  gateway.loseHistory('e2');
  gateway.dropAll();
  gateway.say('den', 'bob', 'new');
  await until(() => alice.room('den').lost !== undefined && alice.room('den').messages.length === 1);
  expect(alice.room('den').lost).toBe('HISTORY_LOST_EPOCH_CHANGED');
  expect(alice.room('den').earlier.map(({ content }) => content)).toEqual(['old']);
  expect(contents(alice.room('den'))).toEqual(['new']);
});

test('the welcome of a room is no part of its log: shown once, where one came in, and nothing is lost by it', async () => {
  gateway.welcome = 'Read the rules.';
  gateway.say('den', 'bob', 'before');
  const kinds: string[] = [];
  const alice = connect('alice', { onRoom: (_room, { kind }) => kinds.push(kind) });
  alice.join('den');
  await until(() => alice.room('den').welcome !== undefined);
  gateway.say('den', 'bob', 'live');
  await until(() => alice.room('den').messages.length === 2);
  const { welcome, lost, earlier, unread } = alice.room('den');
  expect(welcome).toMatchObject({ message: { content: 'Read the rules.' }, after: gateway.log('den')[0]!.id });
  expect({ lost, earlier, unread }).toEqual({ lost: undefined, earlier: [], unread: 2 });
  expect(contents(alice.room('den'))).toEqual(['before', 'live']);
  expect(kinds.filter((kind) => kind === 'opening')).toHaveLength(1);
});

test('who comes again to a room where nobody has said anything is not welcomed twice', async () => {
  gateway.welcome = 'Read the rules.';
  const kinds: string[] = [];
  const alice = connect('alice', { onRoom: (_room, { kind }) => kinds.push(kind) });
  alice.join('den');
  await until(() => kinds.includes('welcomed'));
  gateway.dropAll();
  await until(() => kinds.filter((kind) => kind === 'opened').length === 2);
  gateway.say('den', 'bob', 'live');
  await until(() => alice.room('den').messages.length === 1);
  expect(kinds.filter((kind) => kind === 'welcomed')).toHaveLength(1);
});

test('a room that cannot be opened yet says why for as long as it is asked again', async () => {
  let full = true;
  gateway.fate = (frame) => (full && frame.subscribe ? 'busy' : 'ok');
  const reasons: (string | undefined)[] = [];
  const alice = connect('alice', {
    onRoom: ({ phase, error }) => void (phase === 'opening' && reasons.push(error?.message)),
  });
  alice.join('den');
  await until(() => reasons.length > 6);
  expect(alice.room('den').phase).toBe('opening');
  expect(reasons).toEqual([undefined, ...Array(reasons.length - 1).fill('slow down')]);
  full = false;
  await until(() => alice.room('den').phase === 'open');
  expect(alice.room('den').error).toBeUndefined();
});

test('a stream that leaves something out is taken up again before the hole', async () => {
  const alice = connect('alice');
  alice.join('den');
  gateway.say('den', 'bob', 'one');
  await until(() => alice.room('den').messages.length === 1);
  gateway.whisper('den', 'bob', 'two');
  gateway.say('den', 'bob', 'three');
  await until(() => alice.room('den').messages.length === 3);
  expect(contents(alice.room('den'))).toEqual(['one', 'two', 'three']);
});

test.each([
  ['UNAVAILABLE', 'open'],
  ['RESOURCE_EXHAUSTED', 'open'],
  ['PERMISSION_DENIED', 'refused'],
])('a room closed with %s ends up %s', async (code, phase) => {
  const alice = connect('alice');
  alice.join('den');
  gateway.say('den', 'bob', 'one');
  await until(() => alice.room('den').messages.length === 1);
  gateway.closeRoom('den', code);
  gateway.say('den', 'bob', 'two');
  await until(
    () => alice.room('den').phase === phase && alice.room('den').messages.length === (phase === 'open' ? 2 : 1),
  );
});

test('a refused token is renewed once; if the new one is refused as well, a sign-in is wanted', async () => {
  gateway.users = (token) => (token === 'good' ? { userId: '1', username: 'alice' } : undefined);
  const renewed = connect('', { credential: async (refused) => ({ token: refused ? 'good' : 'stale' }) });
  await until(() => renewed.state.status === 'online');
  const ended = connect('', { credential: async () => ({ token: 'stale' }) });
  await until(() => ended.state.status === 'signed-out');
  const gone = connect('', {
    credential: async () => {
      throw new ParleyError('UNAUTHENTICATED', 'sign in again');
    },
  });
  await until(() => gone.state.status === 'signed-out');
});

test('a token is renewed by a second hello before it expires, on the same connection', async () => {
  let issued = 0;
  const alice = connect('', { credential: async () => ({ token: `t${++issued}`, expiresAt: Date.now() + 2_000 }) });
  await until(() => gateway.hellos.length >= 2);
  expect(gateway.hellos.slice(0, 2)).toEqual(['t1', 't2']);
  expect(gateway.connections).toBe(1);
  expect(alice.state.status).toBe('online');
});

test('a drained, slow or broken connection comes back by itself', async () => {
  const alice = connect('alice');
  for (const code of [1001, 4408, undefined]) {
    await until(() => alice.state.status === 'online');
    const before = gateway.connections;
    gateway.dropAll(code);
    await until(() => gateway.connections > before);
  }
  await until(() => alice.state.status === 'online');
});

test('every acknowledged message is in every view once, in one order, whatever breaks', async () => {
  const fate = fc.constantFrom<Fate>('ok', 'ok', 'ok', 'ok', 'before', 'after', 'busy');
  await fc.assert(
    fc.asyncProperty(fc.array(fate, { maxLength: 40 }), fc.integer({ min: 5, max: 25 }), async (fates, count) => {
      const roomId = `room${Math.random().toString(36).slice(2)}`;
      const script = [...fates];
      gateway.fate = () => script.shift() ?? 'ok';
      const doubled: string[] = [];
      const onRoom = (room: RoomState) => {
        const shown = [...contents(room), ...visiblePending(room).map(({ content }) => content)];
        if (new Set(shown).size !== shown.length) doubled.push(shown.join(' '));
      };
      const people = ['alice', 'bob'].map((name) => connect(name, { onRoom }));
      for (const person of people) person.join(roomId);
      for (let n = 0; n < count; n++) people[n % 2]!.send(roomId, `line ${n}`);
      const settled = (person: Connection) =>
        person.room(roomId).pending.length === 0 && person.room(roomId).messages.length >= count;
      await until(() => people.every(settled));
      for (const person of people) {
        expect(contents(person.room(roomId))).toEqual(logged(roomId));
        person.stop();
      }
      expect(doubled).toEqual([]);
      expect(new Set(logged(roomId)).size).toBe(count);
      for (const parity of [0, 1]) {
        const own = logged(roomId).filter((line) => Number(line.slice(5)) % 2 === parity);
        expect(own).toEqual([...own].sort((a, b) => Number(a.slice(5)) - Number(b.slice(5))));
      }
    }),
    { numRuns: 25 },
  );
}, 60_000);
