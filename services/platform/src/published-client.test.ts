/** A client generated from the published protos alone, against the whole platform in one process. */
// biome-ignore-all lint/suspicious/noExplicitAny: grpc-js gives what it loads at run time no types.
import { fileURLToPath } from 'node:url';
import {
  type Client,
  type ClientReadableStream,
  credentials,
  loadPackageDefinition,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { type RunningParley, startParley } from './testing/parley.ts';

const published = fileURLToPath(new URL('../../../proto/published/', import.meta.url));
const options = { keepCase: true, longs: String, enums: String, defaults: true };
const load = (file: string) => loadPackageDefinition(loadSync(file, { ...options, includeDirs: [published] })) as any;

let parley: RunningParley;
let users: any;
let chat: any;
sharedFixture(async (stack) => {
  parley = stack.use(await startParley('all'));
  users = new (load('user.proto').user.UserService)(parley.grpc, credentials.createInsecure());
  chat = new (load('chat.proto').chat.ChatService)(parley.grpc, credentials.createInsecure());
  for (const client of [users, chat] as Client[]) stack.defer(() => client.close());
});

const call = (client: any, method: string, request: object): Promise<any> =>
  new Promise((resolve, reject) =>
    client[method](request, (error: ServiceError | null, answer: unknown) => (error ? reject(error) : resolve(answer))),
  );
const codeOf = (promise: Promise<unknown>) =>
  promise.then(
    () => 'OK',
    (error: ServiceError) => status[error.code],
  );
let count = 0;
const person = () => {
  const username = `person-${++count}-${process.pid}`;
  return { username, email: `${username}@example.com`, full_name: 'A Person' };
};

test('users are created, read, updated, listed and deleted', async () => {
  const wanted = person();
  const { user } = await call(users, 'CreateUser', wanted);
  expect(user).toMatchObject(wanted);
  expect((await call(users, 'GetUser', { id: user.id })).user).toEqual(user);
  const changed = { ...person(), id: user.id };
  expect((await call(users, 'UpdateUser', changed)).user).toMatchObject(changed);
  const { users: page, total } = await call(users, 'ListUsers', {});
  expect(page.length).toBe(Math.min(total, 20));
  expect(await call(users, 'DeleteUser', { id: user.id })).toEqual({ success: true });
  expect(await codeOf(call(users, 'GetUser', { id: user.id }))).toBe('NOT_FOUND');
  expect(await codeOf(call(users, 'DeleteUser', { id: user.id }))).toBe('NOT_FOUND');
});

test('a taken username or e-mail is ALREADY_EXISTS, an empty or malformed field INVALID_ARGUMENT', async () => {
  const taken = person();
  await call(users, 'CreateUser', taken);
  expect(await codeOf(call(users, 'CreateUser', { ...person(), username: taken.username }))).toBe('ALREADY_EXISTS');
  expect(await codeOf(call(users, 'CreateUser', { ...person(), email: taken.email }))).toBe('ALREADY_EXISTS');
  expect(await codeOf(call(users, 'CreateUser', { ...person(), username: '' }))).toBe('INVALID_ARGUMENT');
  expect(await codeOf(call(users, 'CreateUser', { ...person(), email: 'nowhere' }))).toBe('INVALID_ARGUMENT');
});

test('pages of users are 20 by default and 100 at most', async () => {
  await Promise.all(Array.from({ length: 120 }, () => call(users, 'CreateUser', person())));
  const sizeOf = async (request: object) => (await call(users, 'ListUsers', request)).users.length;
  expect(await sizeOf({ page: 0, page_size: 0 })).toBe(20);
  expect(await sizeOf({ page: -1, page_size: 7 })).toBe(7);
  expect(await sizeOf({ page: 1, page_size: 100 })).toBe(100);
  expect(await sizeOf({ page: 1, page_size: 101 })).toBe(20);
});

/** A member of a room, with what he has heard. */
function join(room_id: string, name: string) {
  const stream = chat.JoinRoom({ room_id, user_id: name, username: name }) as ClientReadableStream<any>;
  const heard: { type: string; username: string; content: string }[] = [];
  stream.on('data', (message) => heard.push(message));
  stream.on('error', () => undefined);
  return { heard, leave: () => stream.cancel() };
}

test('a member hears 50 messages of history, his own JOIN, what others say, who comes and who goes', async () => {
  const room_id = `room-${process.pid}`;
  const alice = join(room_id, 'alice-p');
  await expect.poll(() => alice.heard.at(-1)).toMatchObject({ type: 'MESSAGE_TYPE_JOIN', username: 'alice-p' });
  for (let i = 1; i <= 60; i++) {
    const answer = await call(chat, 'SendMessage', {
      room_id,
      user_id: 'carol-p',
      username: 'carol-p',
      content: `line ${i}`,
      type: 'MESSAGE_TYPE_TEXT',
    });
    expect(answer).toMatchObject({ success: true, message_id: expect.stringMatching(/./) });
  }
  const bob = join(room_id, 'bob-p');
  await expect.poll(() => bob.heard.at(-1)).toMatchObject({ type: 'MESSAGE_TYPE_JOIN', username: 'bob-p' });
  const texts = bob.heard.filter(({ type }) => type === 'MESSAGE_TYPE_TEXT').map(({ content }) => content);
  expect(texts).toEqual(Array.from({ length: 50 }, (_, i) => `line ${i + 11}`));
  await expect.poll(() => alice.heard.filter(({ type }) => type === 'MESSAGE_TYPE_TEXT').length).toBe(60);

  const { rooms } = await call(chat, 'ListRooms', {});
  expect(rooms.map(({ id }: { id: string }) => id)).toContain(room_id);
  const info = await call(chat, 'GetRoomInfo', { room_id });
  expect(info).toMatchObject({ room: { id: room_id, name: `Room ${room_id}`, user_count: 2 } });
  expect([...info.user_ids].sort()).toEqual(['alice-p', 'bob-p']);

  bob.leave();
  await expect
    .poll(() => alice.heard.at(-1), { timeout: 20_000 })
    .toMatchObject({ type: 'MESSAGE_TYPE_LEAVE', username: 'bob-p' });
  alice.leave();
  expect(await codeOf(call(chat, 'GetRoomInfo', { room_id: 'nowhere' }))).toBe('NOT_FOUND');
  expect(
    await codeOf(call(chat, 'SendMessage', { room_id: 'nowhere', user_id: 'x', username: 'x', content: 'hi' })),
  ).toBe('NOT_FOUND');
  expect(await codeOf(call(chat, 'SendMessage', { room_id, user_id: 'x', username: 'x', content: ' ' }))).toBe(
    'INVALID_ARGUMENT',
  );
});

test('the published load, 100 callers with 100 CreateUser each, has no error', async () => {
  const tookMs: number[] = [];
  const startedAt = performance.now();
  await Promise.all(
    Array.from({ length: 100 }, async () => {
      for (let i = 0; i < 100; i++) {
        const begun = performance.now();
        await call(users, 'CreateUser', person());
        tookMs.push(performance.now() - begun);
      }
    }),
  );
  const totalMs = performance.now() - startedAt;
  tookMs.sort((a, b) => a - b);
  const at = (share: number) => (tookMs[Math.floor(tookMs.length * share)] as number).toFixed(1);
  const average = (tookMs.reduce((sum, ms) => sum + ms, 0) / tookMs.length).toFixed(1);
  console.log(
    `10,000 CreateUser by 100 callers: average ${average} ms, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms, total ${(totalMs / 1000).toFixed(1)} s`,
  );
  expect(tookMs.length).toBe(10_000);
});
