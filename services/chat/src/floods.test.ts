import { type ClientHttp2Session, connect, constants } from 'node:http2';
import { setImmediate as turn } from 'node:timers/promises';
import { frame, messageCodec, unframe } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { expect, test } from 'vitest';
import { pgliteStore, type Store } from './testing/logs.ts';
import { Reader } from './testing/reader.ts';
import { type Pod, Rig } from './testing/rig.ts';
import { Talker } from './testing/talker.ts';

let store: Store;
let rig: Rig;
let pod: Pod;
sharedFixture(async (stack) => {
  store = stack.use(await pgliteStore());
  rig = stack.use(await Rig.start());
  const env = { PARLEY_CHAT_SENDS_PER_SECOND: '20', PARLEY_CHAT_JOINS_PER_SECOND: '10' };
  pod = await rig.pod(await store.log(), 'a', { env });
});

const guest = (name: string) => ({ room_id: 'general', user_id: name, username: name });
const say = (name: string) => pod.chat.sendMessage({ ...guest(name), content: 'x' });
const isTooMuch = { code: 'RESOURCE_EXHAUSTED', details: { retryAfterMs: expect.any(Number) } };

function raw({ port } = pod): ClientHttp2Session {
  const session = connect(`http://127.0.0.1:${port}`);
  session.on('error', () => undefined);
  return session;
}

const request = (session: ClientHttp2Session, method = 'Subscribe') => {
  const headers = { ':method': 'POST', ':path': `/chat.ChatService/${method}`, 'content-type': 'application/grpc' };
  return session.request({ ...headers, te: 'trailers' }).on('error', () => undefined);
};

/** There and back again on the connection. */
const echo = (session: ClientHttp2Session) => new Promise<void>((resolve) => session.ping(() => resolve()));

test('a flood of sends is refused with when to try again, and others are heard', async () => {
  const sends = await Promise.allSettled(Array.from({ length: 100 }, () => say('flooder')));
  const refused = sends.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
  expect(refused.length).toBeGreaterThanOrEqual(50);
  for (const error of refused) expect(error).toMatchObject(isTooMuch);
  expect(await say('ann')).toMatchObject({ success: true });
});

test('a flood of sends on one stream is refused by their refs, and the stream goes on', async () => {
  using flooder = new Talker(pod.chat.connect());
  const frame = { send: { ...guest('talker'), content: 'x' } };
  const answers = await Promise.all(Array.from({ length: 100 }, () => flooder.ask(frame)));
  const refused = answers.flatMap(({ error }) => (error ? [error] : []));
  expect(refused.length).toBeGreaterThanOrEqual(50);
  for (const error of refused) {
    expect(error.code).toBe('RESOURCE_EXHAUSTED');
    expect(Number(error.retry_after_ms)).toBeGreaterThan(0);
  }
  await expect.poll(async () => (await flooder.ask(frame)).sent?.success).toBe(true);
});

test('who asks and does not read his answers is asked no more of, and has them all once he reads', async () => {
  const session = raw();
  await new Promise((connected) => session.once('connect', connected));
  const stream = request(session, 'Connect');
  const hello = frame(messageCodec('chat.ClientFrame').encode({ ref: 'x'.repeat(128), hello: { token: '' } }));
  const hellos = Buffer.concat(Array.from({ length: 100 }, () => hello));
  let [asked, taken] = [0, 0];
  for (let echoes = 0; echoes < 100 && taken < 20_000; echoes++) {
    if (taken === asked) {
      echoes = 0;
      asked += 100;
      stream.write(hellos, () => {
        taken += 100;
      });
    }
    await echo(session);
  }
  expect(taken).toBeLessThan(20_000);
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await expect.poll(() => [...unframe(Buffer.concat(chunks))].length).toBe(asked);
  session.destroy();
});

test('who leaves more answers unread than may wait for him is cut off', async () => {
  const small = await rig.pod(await store.log(), 'small', { env: { PARLEY_CHAT_QUEUE_BYTES: '65536' } });
  const spec = { display_name: 'Wordy', welcome_message: 'x'.repeat(2000) };
  const rooms = Array.from({ length: 120 }, (_, i) => `wordy-${i}`);
  for (const room_id of rooms) await small.admin.applyRoom({ room_id, spec }, { token: rig.service() });
  const session = raw(small);
  const stream = request(session, 'Connect');
  const { encode } = messageCodec('chat.ClientFrame');
  const frames = rooms.map((room_id) => frame(encode({ subscribe: { ...guest(room_id), room_id } })));
  stream.write(Buffer.concat(frames));
  await new Promise((closed) => stream.once('close', closed));
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  session.destroy();
});

test('a ref that is too long is refused and not sent back', async () => {
  using ann = new Talker(pod.chat.connect());
  ann.tell({ ref: 'x'.repeat(100_000), hello: { token: '' } });
  ann.tell({ ref: 'x'.repeat(129), send: { ...guest('wordy'), content: 'x' } });
  const { ref } = await ann.ask({ hello: { token: '' } });
  expect(ann.frames).toMatchObject([
    {
      ref: '',
      error: { code: 'INVALID_ARGUMENT', message: 'ref is 100000 characters; at most 128 are allowed' },
    },
    { ref: '', error: { message: 'ref is 129 characters; at most 128 are allowed' } },
    { ref, welcome: {} },
  ]);
});

test('a flood of joins is refused with when to try again, and others come in', async () => {
  const joins = Array.from({ length: 60 }, () => Reader.ofJoin(pod.chat.joinRoom(guest('flooder'))));
  const refused: unknown[] = [];
  for (const join of joins) void join.ended.then((error) => error && refused.push(error));
  const cameIn = () => joins.filter(({ messages }) => messages.length > 0).length;
  await expect.poll(() => cameIn() + refused.length).toBe(joins.length);
  expect(cameIn()).toBeGreaterThanOrEqual(5);
  expect(refused.length).toBeGreaterThanOrEqual(30);
  for (const error of refused) expect(error).toMatchObject(isTooMuch);
  using ann = Reader.ofSubscribe(pod.chat.subscribe(guest('ann')));
  await expect.poll(() => ann.opened).toBeTruthy();
  for (const join of joins) join.cancel();
});

test('a connection may have 1,000 streams open', async () => {
  const session = raw();
  const settings = await new Promise<{ maxConcurrentStreams?: number }>((told) => session.once('remoteSettings', told));
  expect(settings.maxConcurrentStreams).toBe(1000);
  session.destroy();
});

test('who opens and resets streams as fast as he can loses his connection, and others keep theirs', async () => {
  using ann = Reader.ofSubscribe(pod.chat.subscribe(guest('bystander')));
  await expect.poll(() => ann.opened).toBeTruthy();
  const session = raw();
  await new Promise((connected) => session.once('connect', connected));
  let resets = 0;
  for (; resets < 20_000 && !session.destroyed && !session.closed; resets++) {
    request(session).close(constants.NGHTTP2_CANCEL);
    // Or Node would take both back before they leave.
    if (resets % 20 === 0) await turn();
  }
  expect(session.destroyed || session.closed).toBe(true);
  session.destroy();
  await expect.poll(() => say('ben')).toMatchObject({ success: true });
  await expect.poll(() => ann.texts.length).toBeGreaterThan(0);
});
