import { mkdtempSync, rmSync } from 'node:fs';
import { connect, constants } from 'node:http2';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Client, credentials, type ServiceError, status } from '@grpc/grpc-js';
import { afterAll, expect, test } from 'vitest';
import { KeyRing, makeKeys } from '../auth/keys.ts';
import { signToken, TokenVerifier } from '../auth/tokens.ts';
import { AppError, invalid } from '../errors.ts';
import { silentLog } from '../log.ts';
import { Metrics } from '../metrics.ts';
import { sharedFixture } from '../testing/fixture.ts';
import { RpcChannel } from './client.ts';
import { implement } from './implementation.ts';
import { RpcServer } from './server.ts';

const folder = mkdtempSync(join(tmpdir(), 'parley-keys-'));
makeKeys(folder);
const ring = new KeyRing(folder);
let metrics: Metrics;
const user = { id: '7', username: 'alice', email: '', full_name: '', created_at: '', updated_at: '' };

const users = implement(
  'user.UserService',
  { createUser: 'open', getUser: 'open', updateUser: 'signed-in', deleteUser: 'service', listUsers: 'open' },
  {
    createUser({ username }) {
      throw invalid('username', `is ${JSON.stringify(username)}; 3 to 32 letters are allowed`);
    },
    getUser({ id }, { caller }) {
      return { user: { ...user, id, username: caller.kind === 'guest' ? 'guest' : caller.username } };
    },
    updateUser: () => ({ user }),
    deleteUser: () => ({ success: true }),
    async listUsers(_request, { signal }) {
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
      throw new Error('not reached');
    },
  },
);

const auth = implement(
  'auth.AuthService',
  {
    register: 'anyone',
    login: 'anyone',
    refresh: 'anyone',
    logout: 'anyone',
    watchRevocations: 'open',
    lookupUsers: 'service',
  },
  {
    register: () => ({}),
    login: () => {
      throw new Error('a secret of ours');
    },
    refresh: () => ({}),
    logout: () => ({}),
    async watchRevocations(_request, { signal }, out) {
      out.write({ user_id: '1' });
      await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
    },
    lookupUsers: () => ({ users: [] }),
  },
);

let server: RpcServer;
let channel: RpcChannel;
sharedFixture(async (stack) => {
  metrics = new Metrics();
  const verifier = new TokenVerifier(ring);
  server = await RpcServer.listen({
    port: 0,
    services: [users, auth],
    authMode: 'open',
    verifier,
    log: silentLog,
    metrics,
  });
  stack.defer(() => server.drain(1000));
  channel = stack.use(new RpcChannel({ address: `127.0.0.1:${server.port}` }));
});
afterAll(() => rmSync(folder, { recursive: true }));

const failure = (call: Promise<unknown>) =>
  call.then(
    () => expect.unreachable(),
    (error: AppError) => error,
  );

test('a call is answered, with the defaults that proto3 leaves out', async () => {
  expect(await channel.client('user.UserService').getUser({ id: 5 })).toEqual({
    user: { ...user, id: '5', username: 'guest' },
  });
});

test('a token says who calls', async () => {
  const token = signToken(ring, { userId: '7', username: 'alice', role: 'member' });
  expect((await channel.client('user.UserService').getUser({ id: 5 }, { token })).user?.username).toBe('alice');
});

test('a bad token is UNAUTHENTICATED even where none is needed', async () => {
  const error = await failure(channel.client('user.UserService').getUser({ id: 5 }, { token: 'x.y.z' }));
  expect(error.code).toBe('UNAUTHENTICATED');
});

test('who is not signed in hears what to do, and a member may not call what is for services', async () => {
  const client = channel.client('user.UserService');
  expect(await failure(client.updateUser({}))).toMatchObject({
    code: 'UNAUTHENTICATED',
    message: expect.stringContaining('sign in'),
  });
  const token = signToken(ring, { userId: '7', username: 'alice', role: 'member' });
  expect(await failure(client.deleteUser({}, { token }))).toMatchObject({ code: 'PERMISSION_DENIED' });
});

test('an error keeps its fields across the wire, and our own failures keep their text to themselves', async () => {
  const wrong = await failure(channel.client('user.UserService').createUser({ username: 'x' }));
  expect(wrong).toMatchObject({ code: 'INVALID_ARGUMENT', details: { fields: [{ field: 'username' }] } });
  const ours = await failure(channel.client('auth.AuthService').login({}));
  expect(ours.code).toBe('INTERNAL');
  expect(ours.message).not.toContain('secret');
});

test('bytes that are no message, and text that is not UTF-8, are INVALID_ARGUMENT', async () => {
  const raw = new Client(`127.0.0.1:${server.port}`, credentials.createInsecure());
  const send = (bytes: Buffer) =>
    new Promise<ServiceError | null>((resolve) =>
      raw.makeUnaryRequest(
        '/user.UserService/CreateUser',
        (b: Buffer) => b,
        (b) => b,
        bytes,
        (error) => resolve(error),
      ),
    );
  expect((await send(Buffer.from([0xff, 0xff, 0xff])))?.code).toBe(status.INVALID_ARGUMENT);
  expect((await send(Buffer.from([0x0a, 0x02, 0xc3, 0x28])))?.details).toContain('UTF-8');
  raw.close();
});

test('a stream ends with UNAVAILABLE when its server drains, and calls are counted by code', async () => {
  const verifier = new TokenVerifier(ring);
  const draining = await RpcServer.listen({
    port: 0,
    services: [auth],
    authMode: 'open',
    verifier,
    log: silentLog,
    metrics,
  });
  const to = new RpcChannel({ address: `127.0.0.1:${draining.port}` });
  const stream = to.client('auth.AuthService').watchRevocations({});
  const seen: string[] = [];
  const ended = failure(stream.each(({ user_id }) => seen.push(user_id)));
  await expect.poll(() => seen).toEqual(['1']);
  await draining.drain(5000);
  expect(await ended).toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 0 } });
  expect(await metrics.registry.metrics()).toMatch(/grpc_server_handled_total\{.*grpc_code="UNAVAILABLE"\} 1/);
  to[Symbol.dispose]();
});

test('who does not read at all is cut off some seconds after his stream has ended', async () => {
  const flood = implement(
    'auth.AuthService',
    { register: 'open', login: 'open', refresh: 'open', logout: 'open', watchRevocations: 'open', lookupUsers: 'open' },
    {
      register: () => ({}),
      login: () => ({}),
      refresh: () => ({}),
      logout: () => ({}),
      lookupUsers: () => ({ users: [] }),
      async watchRevocations(_request, _context, out) {
        for (let i = 0; i < 1000; i++) out.write({ user_id: '1', issued_before: 'x'.repeat(10_000) });
        throw new AppError('RESOURCE_EXHAUSTED', 'too slow');
      },
    },
  );
  const verifier = new TokenVerifier(ring);
  const settings = { port: 0, services: [flood], authMode: 'open' as const, verifier, log: silentLog, metrics };
  await using flooding = await RpcServer.listen(settings);
  const session = connect(`http://127.0.0.1:${flooding.port}`);
  const stream = session.request({
    ':method': 'POST',
    ':path': '/auth.AuthService/WatchRevocations',
    'content-type': 'application/grpc',
    te: 'trailers',
  });
  stream.end(Buffer.alloc(5));
  stream.on('error', () => undefined);
  await new Promise((resolve) => stream.once('close', resolve));
  expect(stream.rstCode).toBe(constants.NGHTTP2_CANCEL);
  session.close();
});
