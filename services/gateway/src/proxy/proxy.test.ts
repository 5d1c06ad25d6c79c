import { Client, credentials, Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { type AppError, Metrics, methodsOf, RpcChannel, silentLog } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { until } from '../fixture/socket.ts';
import { startWorld, type World } from '../fixture/start.ts';
import { mostCallsPerConnection } from './connections.ts';
import { type GrpcProxy, serveProxy } from './proxy.ts';

let world: World;
let proxy: GrpcProxy;
let channel: RpcChannel;
const serve = () => {
  const channels = { user: world.channel, chat: world.channel, order: world.channel, payment: world.channel };
  return serveProxy({ port: 0, channels, log: silentLog, metrics: new Metrics() });
};
sharedFixture(async (stack) => {
  world = stack.use(await startWorld());
  proxy = stack.use(await serve());
  channel = stack.use(new RpcChannel({ address: `127.0.0.1:${proxy.port}` }));
});

const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable(),
    (error: AppError) => error,
  );

test('a call goes through with its token, its metadata and its deadline, and the answer comes back', async () => {
  const token = world.token('7', 'alice');
  const answer = await channel
    .client('user.UserService')
    .getUser({ id: 1 }, { token, metadata: { 'x-request-id': 'abc' }, timeoutMs: 5000 });
  expect(answer.user?.username).toBe('alice');
  const { context } = world.witness.last;
  expect(context).toMatchObject({ requestId: 'abc', caller: { userId: '7' } });
  expect(context.deadline).toBeLessThanOrEqual(Date.now() + 5000);
});

test('sign-in hears which address asks, whatever the caller says of it', async () => {
  await channel.client('auth.AuthService').login({ username: 'a' }, { metadata: { 'x-forwarded-for': '6.6.6.6' } });
  const { context } = world.witness.last;
  expect(context.caller).toMatchObject({ kind: 'service' });
  expect(context.peer).toContain('127.0.0.1:');
  await channel.client('user.UserService').listUsers({}, { metadata: { 'x-forwarded-for': '6.6.6.6' } });
  expect(world.witness.last.context).toMatchObject({
    caller: { kind: 'guest' },
    peer: expect.not.stringContaining('6.6'),
  });
});

test('an error keeps its code, its message and its details', async () => {
  const error = await failure(channel.client('user.UserService').createUser({ username: '' }));
  expect(error).toMatchObject({ code: 'INVALID_ARGUMENT', details: { fields: [{ field: 'username' }] } });
  const busy = await failure(channel.client('user.UserService').listUsers({ page: 13 }));
  expect(busy).toMatchObject({ code: 'RESOURCE_EXHAUSTED', details: { retryAfterMs: 2500 } });
});

test('bytes that are no message are the service’s to refuse', async () => {
  const raw = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  const error = await new Promise<ServiceError | null>((resolve) =>
    raw.makeUnaryRequest(
      '/user.UserService/CreateUser',
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.from([0xff, 0xff, 0xff]),
      (refused) => resolve(refused),
    ),
  );
  expect(error?.code).toBe(status.INVALID_ARGUMENT);
  raw.close();
});

test('a stream goes both ways, and ends as the other side ends it', async () => {
  const stream = channel.client('chat.ChatService').connect();
  const heard: string[] = [];
  const ended = failure(
    stream.each(({ ref, event, sent }) => {
      heard.push(sent ? `sent ${ref}` : event!.opened ? `opened ${ref}` : event!.messages[0]!.content);
    }),
  );
  stream.write({ ref: '1', subscribe: { room_id: 'proxied' } });
  stream.write({ ref: '2', send: { room_id: 'proxied', content: 'hello' } });
  await until(() => heard.length === 3);
  expect(heard.toSorted()).toEqual(['hello', 'opened 1', 'sent 2']);
  world.pods[0]!.breakStreams(false);
  expect(await ended).toMatchObject({ code: 'UNAVAILABLE', message: 'draining', details: { retryAfterMs: 0 } });
});

test('what a caller cancels is cancelled for the service too', async () => {
  const connected = () => world.pods[0]!.connections.size;
  const before = connected();
  const stream = channel.client('chat.ChatService').connect();
  stream.write({ ref: '1', hello: {} });
  await until(() => connected() === before + 1);
  stream.cancel();
  await until(() => connected() === before);
});

test('more than a connection’s 1,000 streams are open at once, and unary calls do not wait behind them', async () => {
  const clients = [channel, new RpcChannel({ address: `127.0.0.1:${proxy.port}` })];
  const wanted = Math.ceil(mostCallsPerConnection * 1.3);
  let greeted = 0;
  const streams = Array.from({ length: wanted }, (_, n) =>
    clients[n % 2]!.client('chat.ChatService').joinRoom({ room_id: 'crowd', user_id: `u${n}` }),
  );
  for (const stream of streams) void stream.each(() => greeted++).catch(() => undefined);
  await until(() => greeted === wanted, 30_000);
  expect((await channel.client('user.UserService').getUser({ id: 1 })).user).toBeDefined();
  for (const stream of streams) stream.cancel();
  clients[1]![Symbol.dispose]();
});

test('a reader that is slow holds back the service and not the proxy’s memory', async () => {
  // Back-pressure ends at the service, whose queue is bounded: here it is enough that nothing is lost or mixed up.
  const stream = channel.client('chat.ChatService').connect();
  const contents: string[] = [];
  const opened = () => world.pods[0]!.members('bulk').length > 0;
  void stream
    .each(({ event }) => contents.push(...(event?.messages.map(({ content }) => content) ?? [])))
    .catch(() => undefined);
  stream.write({ ref: '1', subscribe: { room_id: 'bulk' } });
  await until(opened);
  stream.stream.pause();
  const text = 'x'.repeat(10_000);
  for (let n = 0; n < 500; n++) world.store.append({ room_id: 'bulk', content: `${n} ${text}` });
  stream.stream.resume();
  await until(() => contents.length === 500);
  expect(contents.map((content) => Number.parseInt(content, 10))).toEqual(Array.from({ length: 500 }, (_, n) => n));
  stream.cancel();
});

test('health answers for all services', async () => {
  const raw = new Client(`127.0.0.1:${proxy.port}`, credentials.createInsecure());
  const answer = await new Promise<Buffer | undefined>((resolve) =>
    raw.makeUnaryRequest(
      '/grpc.health.v1.Health/Check',
      (bytes: Buffer) => bytes,
      (bytes) => bytes,
      Buffer.from('\n\x10chat.ChatService'),
      (_error, value) => resolve(value),
    ),
  );
  expect(answer).toEqual(Buffer.from([0x08, 0x01])); // SERVING
  raw.close();
});

test('a draining proxy ends streams with UNAVAILABLE and the place they had reached', async () => {
  const draining = await serve();
  const raw = new Client(`127.0.0.1:${draining.port}`, credentials.createInsecure());
  const method = methodsOf('chat.ChatService').find(({ name }) => name === 'JoinRoom')!;
  const { encodeRequest, decodeResponse, path } = method;
  const stream = raw.makeServerStreamRequest(path, encodeRequest, decodeResponse, { room_id: 'last' }, new Metadata());
  const ended = new Promise<ServiceError>((resolve) => stream.once('error', resolve));
  let heard = 0;
  stream.on('data', () => heard++);
  await until(() => heard === 1);
  await draining.drain(5000);
  const error = await ended;
  expect(error.code).toBe(status.UNAVAILABLE);
  expect(error.metadata.get('parley-cursor')).toEqual(['e1-5']);
  raw.close();
});
