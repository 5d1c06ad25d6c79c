import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request as httpRequest, type IncomingMessage, type RequestOptions } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { TestSocket, until } from './fixture/socket.ts';
import { startWorld, type World } from './fixture/start.ts';

const web = mkdtempSync(join(tmpdir(), 'parley-web-'));
let world: World;
beforeAll(async () => {
  mkdirSync(join(web, 'site', 'assets'), { recursive: true });
  writeFileSync(join(web, 'secret.txt'), 'outside');
  writeFileSync(join(web, 'site', 'index.html'), '<!doctype html><title>Parley</title>');
  writeFileSync(join(web, 'site', 'icon.svg'), '<svg/>');
  writeFileSync(join(web, 'site', 'assets', 'index-abc.js'), 'export {}');
  world = await startWorld({ webDirectory: join(web, 'site') });
});
afterAll(async () => {
  await world[Symbol.asyncDispose]();
  rmSync(web, { recursive: true });
});

const json = (body: unknown, headers: Record<string, string> = {}, method = 'POST'): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json', ...headers },
  body: typeof body === 'string' ? body : JSON.stringify(body),
});
const call = (path: string, init?: RequestInit) => fetch(world.url + path, init);
/** Like call, with a path as it is and headers that fetch would not send. */
const raw = async (path: string, { body, ...options }: RequestOptions & { body?: string } = {}) => {
  const asked = httpRequest(world.url, { path, agent: false, ...options }).end(body);
  const [response] = (await once(asked, 'response')) as [IncomingMessage];
  return { status: response.statusCode, text: await text(response), reusedSocket: asked.reusedSocket };
};
const problem = async (path: string, init?: RequestInit) => {
  const response = await call(path, init);
  expect(response.headers.get('content-type')).toContain('application/problem+json');
  const body = (await response.json()) as Record<string, unknown>;
  expect(body).toMatchObject({
    type: 'about:blank',
    status: response.status,
    request_id: response.headers.get('x-request-id'),
  });
  return { response, body };
};

test('errors are problem documents, with the gRPC code and the field', async () => {
  expect((await problem('/v1/users/404')).body).toMatchObject({ status: 404, code: 'NOT_FOUND', errors: [] });
  expect((await problem('/v1/users', json({ username: 'taken' }))).body).toMatchObject({
    status: 409,
    code: 'ALREADY_EXISTS',
    title: 'Conflict',
  });
  expect((await problem('/v1/users', json({}))).body).toMatchObject({
    status: 400,
    errors: [{ field: 'username', description: 'is empty; 3 to 32 letters are allowed' }],
  });
  expect((await problem('/v1/orders/o1:cancel', { method: 'POST' })).body).toMatchObject({ status: 401 });
});

test('429 and 503 say when to come back', async () => {
  expect((await problem('/v1/users?page=13')).response.headers.get('retry-after')).toBe('3');
  expect((await problem('/v1/users?page=15')).response.headers.get('retry-after')).toBe('1');
});

test('our own failures keep their text to themselves', async () => {
  const { body } = await problem('/v1/users?page=14');
  expect(body).toMatchObject({ status: 500, code: 'INTERNAL' });
  expect(JSON.stringify(body)).not.toContain('secret');
});

test.each([
  ['PUT', '/v1/users', {}, undefined, 405],
  ['PUT', '/docs', {}, undefined, 405],
  ['POST', '/v1/ws', {}, undefined, 405],
  ['DELETE', '/v1/rooms/general/events', {}, undefined, 405],
  ['GET', '/v1/nothing', {}, undefined, 404],
  ['POST', '/v1/users', { 'content-type': 'text/plain' }, 'x', 415],
  ['POST', '/v1/users', { 'content-type': 'application/x-www-form-urlencoded' }, 'username=x', 415],
  ['POST', '/v1/users', { 'content-type': 'application/json' }, '{', 400],
  ['POST', '/v1/users', { 'content-type': 'application/json' }, 'x'.repeat(1024 * 1024 + 1), 413],
  ['GET', '/v1/users/%ff', {}, undefined, 400],
  ['GET', '/%ff', {}, undefined, 400],
  ['GET', '/v1/users', { cookie: 'x'.repeat(17_000) }, undefined, 431],
  ['GET', '/v1/users', { authorization: 'Bearer x.y.z' }, undefined, 401],
  ['GET', '/v1/users', { authorization: 'Basic eDp5' }, undefined, 401],
  ['GET', '/v1/ws', {}, undefined, 426],
])('%s %s with %j is refused as a problem', async (method, path, headers, body, status) => {
  const response = await call(path, { method, headers: headers as Record<string, string>, body });
  expect(response.status).toBe(status);
  const request_id = response.headers.get('x-request-id');
  expect(await response.json()).toMatchObject({ status, code: expect.any(String), request_id });
  expect(response.headers.get('allow') !== null).toBe(status === 405);
  expect(response.headers.get('www-authenticate')).toBe(status === 401 ? 'Bearer realm="parley"' : null);
});

test('a client that offers HTTP/2 is answered in HTTP/1.1, and keeps its connection', async () => {
  const agent = new Agent({ keepAlive: true });
  const headers = { connection: 'Upgrade, HTTP2-Settings', upgrade: 'h2c', 'http2-settings': 'AAEAAEAAAAIAAAAA' };
  const posted = await raw('/v1/users', {
    agent,
    method: 'POST',
    headers: { ...headers, 'content-type': 'application/json' },
    body: JSON.stringify({ username: 'java' }),
  });
  expect([posted.status, JSON.parse(posted.text)]).toMatchObject([200, { user: { username: 'java' } }]);
  expect(await raw('/v1/users', { agent, headers })).toMatchObject({ status: 200, reusedSocket: true });
  agent.destroy();
});

test('HEAD is answered as GET is, without the body; an event stream has none', async () => {
  for (const path of ['/v1/users', '/openapi.json', '/.well-known/jwks.json', '/']) {
    const [head, get] = [await call(path, { method: 'HEAD' }), await call(path)];
    expect([path, head.status, head.headers.get('content-length'), await head.text()]).toEqual([
      path,
      200,
      get.headers.get('content-length'),
      '',
    ]);
    await get.arrayBuffer();
  }
  expect((await call('/v1/users/404', { method: 'HEAD' })).status).toBe(404);
  expect((await call('/v1/rooms/general/events', { method: 'HEAD' })).status).toBe(405);
});

test('X-Request-Id goes in and out and along; one that is no id is replaced', async () => {
  const response = await call('/v1/users', { headers: { 'x-request-id': 'abc-1' } });
  expect(response.headers.get('x-request-id')).toBe('abc-1');
  expect(world.witness.last.context.requestId).toBe('abc-1');
  const other = await call('/v1/users', { headers: { 'x-request-id': 'a b"<script>' } });
  expect(other.headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/);
});

test('a caller’s own token goes along; without one he is a guest, and never the gateway', async () => {
  await call('/v1/users', { headers: { authorization: `Bearer ${world.token('7', 'alice')}` } });
  expect(world.witness.last.context.caller).toMatchObject({ kind: 'user', userId: '7' });
  await call('/v1/users');
  expect(world.witness.last.context.caller).toEqual({ kind: 'guest' });
});

test('sign-in hears from which address, and nobody can say another', async () => {
  await call('/v1/auth/login', json({ username: 'a', password: 'b' }, { 'x-forwarded-for': '6.6.6.6' }));
  expect(world.witness.last.context.peer).toMatch(/127\.0\.0\.1$/);
  await using behind = await startWorld({ env: { PARLEY_TRUSTED_PROXIES: 'loopback' } });
  await fetch(`${behind.url}/v1/auth/login`, json({}, { 'x-forwarded-for': '6.6.6.6', 'x-forwarded-proto': 'https' }));
  expect(behind.witness.last.context.peer).toBe('6.6.6.6');
});

test('logging out everywhere is asked for in one’s own name', async () => {
  const authorization = `Bearer ${world.token('7', 'alice')}`;
  await call('/v1/auth/logout', { method: 'POST', headers: { authorization } });
  expect(world.witness.last.context.caller).toMatchObject({ kind: 'user', userId: '7' });
  await call('/v1/auth/logout', json({ refresh_token: 'r-1' }, { authorization }));
  expect(world.witness.last.context.caller).toMatchObject({ kind: 'service' });
});

test('the refresh token travels in a cookie that scripts and other sites never see', async () => {
  const login = await call('/v1/auth/login', json({ username: 'a', password: 'b' }));
  const cookie = login.headers.get('set-cookie')!;
  expect(cookie).toMatch(/^parley_refresh=r-1; Path=\/v1\/auth; HttpOnly; SameSite=Strict; Max-Age=\d+$/);
  const refreshed = await call('/v1/auth/refresh', { method: 'POST', headers: { cookie: 'a=b; parley_refresh=r-1' } });
  expect(world.witness.last.request.refresh_token).toBe('r-1');
  expect(refreshed.headers.get('set-cookie')).toContain('parley_refresh=r-2');
  await call('/v1/auth/refresh', json({ refresh_token: 'mine' }, { cookie: 'parley_refresh=r-1' }));
  expect(world.witness.last.request.refresh_token).toBe('mine');
  const out = await call('/v1/auth/logout', { method: 'POST', headers: { cookie: 'parley_refresh=r-2' } });
  expect(world.witness.last.request.refresh_token).toBe('r-2');
  expect(out.headers.get('set-cookie')).toContain(
    'parley_refresh=; Path=/v1/auth; HttpOnly; SameSite=Strict; Max-Age=0',
  );
  await using https = await startWorld({ env: { PARLEY_TRUSTED_PROXIES: 'loopback' } });
  const secure = await fetch(`${https.url}/v1/auth/login`, json({}, { 'x-forwarded-proto': 'https' }));
  expect(secure.headers.get('set-cookie')).toContain('; Secure');
});

test('pages of other origins change nothing', async () => {
  const seen = world.witness.seen.length;
  const headers = { origin: 'https://evil.example', cookie: 'parley_refresh=r-1' };
  expect((await problem('/v1/auth/refresh', { method: 'POST', headers })).body).toMatchObject({ status: 403 });
  expect((await problem('/v1/users', json({}, headers))).body).toMatchObject({ code: 'PERMISSION_DENIED' });
  expect((await problem('/v1/users', json({}, { origin: 'null' }))).body).toMatchObject({ status: 403 });
  expect(world.witness.seen).toHaveLength(seen);
  expect((await call('/v1/users', json({ username: 'bob' }, { origin: world.url }))).status).toBe(200);
});

test('pages of allowed origins may call, and read the answers', async () => {
  await using wide = await startWorld({ env: { PARLEY_ALLOWED_ORIGINS: 'https://app.example' } });
  const headers = { origin: 'https://app.example' };
  const preflight = await fetch(`${wide.url}/v1/users`, { method: 'OPTIONS', headers });
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-headers')).toContain('Authorization');
  const answer = await fetch(`${wide.url}/v1/users`, json({ username: 'bob' }, headers));
  expect(answer.status).toBe(200);
  expect(answer.headers.get('access-control-allow-origin')).toBe('https://app.example');
  expect(answer.headers.get('access-control-allow-credentials')).toBeNull();
  const other = await fetch(`${wide.url}/v1/users`, { headers: { origin: 'https://evil.example' } });
  expect(other.headers.get('access-control-allow-origin')).toBeNull();
  const refused = await fetch(`${wide.url}/v1/users`, {
    method: 'OPTIONS',
    headers: { origin: 'https://evil.example' },
  });
  expect(refused.status).toBe(403);
});

test('whoever asks too often waits, and others do not', async () => {
  await using small = await startWorld({
    env: { PARLEY_REQUESTS_PER_MINUTE: '5', PARLEY_SIGN_INS_PER_MINUTE: '2', PARLEY_TRUSTED_PROXIES: 'loopback' },
  });
  const from = (address: string, path = '/v1/users', method = 'GET') =>
    fetch(small.url + path, { method, headers: { 'x-forwarded-for': address } });
  for (let n = 0; n < 5; n++) expect((await from('1.1.1.1')).status).toBe(200);
  const refused = await from('1.1.1.1');
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await refused.json()).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  expect((await from('2.2.2.2')).status).toBe(200);
  const signIns = await Promise.all([1, 2, 3].map(() => from('3.3.3.3', '/v1/auth/login', 'POST')));
  expect(signIns.map(({ status }) => status).toSorted()).toEqual([200, 200, 429]);
  expect((await from('1.1.1.1', '/nothing-here')).status).toBe(429);
});

test.each([
  ['a bad token', 401, '/v1/users', { headers: { authorization: 'Bearer x.y.z' } }],
  ['a bad token where there is nothing', 401, '/nothing-here', { headers: { authorization: 'Bearer x.y.z' } }],
  ['a foreign origin', 403, '/v1/users', { method: 'POST', headers: { origin: 'https://evil.example' } }],
])('requests with %s count like others', async (_what, status, path, init) => {
  await using small = await startWorld({ env: { PARLEY_REQUESTS_PER_MINUTE: '2' } });
  const statuses: number[] = [];
  for (let n = 0; n < 3; n++) statuses.push((await fetch(small.url + path, init)).status);
  expect(statuses).toEqual([status, status, 429]);
});

test('upgrades from a foreign origin count, too', async () => {
  await using small = await startWorld({ env: { PARLEY_REQUESTS_PER_MINUTE: '2' } });
  for (const status of ['403', '403', '429']) {
    await expect(TestSocket.open(small.url, { origin: 'https://evil.example' })).rejects.toThrow(status);
  }
});

test('one address opens so many viewers and no more', async () => {
  await using small = await startWorld({ env: { PARLEY_CONNECTIONS_PER_ADDRESS: '2' } });
  await using _a = await TestSocket.open(small.url);
  const b = await TestSocket.open(small.url);
  await expect(TestSocket.open(small.url)).rejects.toThrow('429');
  await b[Symbol.asyncDispose]();
  await using _c = await until(() => TestSocket.open(small.url).catch(() => undefined));
});

test('all addresses of an IPv6 network share their limits, since whoever has one has all', async () => {
  await using small = await startWorld({
    env: {
      PARLEY_REQUESTS_PER_MINUTE: '3',
      PARLEY_SIGN_INS_PER_MINUTE: '1',
      PARLEY_CONNECTIONS_PER_ADDRESS: '1',
      PARLEY_TRUSTED_PROXIES: 'loopback',
    },
  });
  const statuses: number[] = [];
  for (const [address, method, path] of [
    ['2001:db8::1', 'GET', '/v1/rooms/r/events'],
    ['2001:db8::2', 'GET', '/v1/rooms/r/events'],
    ['2001:db8::3', 'GET', '/v1/users'],
    ['2001:db8::4', 'GET', '/v1/users'],
    ['2001:db8:0:1::1', 'GET', '/v1/users'],
    ['2001:db8::5', 'POST', '/v1/auth/login'],
    ['2001:db8::6', 'POST', '/v1/auth/login'],
    ['2001:db8:0:1::1', 'POST', '/v1/auth/login'],
  ] as const) {
    statuses.push((await fetch(small.url + path, { method, headers: { 'x-forwarded-for': address } })).status);
  }
  expect(statuses).toEqual([200, 429, 200, 429, 200, 200, 429, 200]);
});

test('the page, its files for ever, its own paths, and nothing outside', async () => {
  const html = { headers: { accept: 'text/html' } };
  for (const path of ['/', '/index.html', '/rooms/general', '/rooms/my.room']) {
    const response = await call(path, html);
    expect([path, response.status, await response.text()]).toEqual([
      path,
      200,
      expect.stringContaining('<title>Parley'),
    ]);
  }
  expect((await call('/rooms/general', html)).headers.get('cache-control')).toBe('no-cache');
  const asset = await call('/assets/index-abc.js');
  expect(asset.headers.get('cache-control')).toContain('immutable');
  expect(asset.headers.get('content-type')).toContain('javascript');
  expect((await call('/icon.svg')).status).toBe(200);
  for (const path of ['/assets/gone.js', '/rooms/general', '/v1', '/.git/config', '/assets/']) {
    expect([path, (await call(path)).status]).toEqual([path, 404]);
  }
});

test('no path leads out of the page’s folder', async () => {
  for (const path of [
    '/../secret.txt',
    '/assets/../../secret.txt',
    '/..%2fsecret.txt',
    '/%2e%2e/secret.txt',
    '/%2e%2e%2fsecret.txt',
    '/..%5csecret.txt',
    '//secret.txt',
    '/assets/..%00/secret.txt',
    '/....//secret.txt',
    `/${join(web, 'secret.txt')}`,
  ]) {
    const { status, text } = await raw(path);
    expect([path, text.includes('outside')]).toEqual([path, false]);
    expect([400, 403, 404]).toContain(status);
  }
});

test('the description is found with a slash behind it, too', async () => {
  const { status, url } = await call('/docs/');
  expect({ status, path: new URL(url).pathname }).toEqual({ status: 200, path: '/docs' });
});

test('nothing runs in the page but what we serve', async () => {
  for (const path of ['/', '/docs', '/v1/users', '/nothing']) {
    const { headers } = await call(path, { headers: { accept: 'text/html' } });
    const policy = headers.get('content-security-policy');
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("script-src 'self'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toContain('unsafe');
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  }
});

test('the keys are shown without their private halves', async () => {
  const { keys } = (await (await call('/.well-known/jwks.json')).json()) as { keys: Record<string, string>[] };
  expect(keys).toHaveLength(1);
  expect(keys[0]).toMatchObject({ kty: 'EC', alg: 'ES256' });
  expect(keys[0]).not.toHaveProperty('d');
});

test('requests are counted by route, never by what a caller makes up', async () => {
  await call('/v1/users/1');
  await call('/v1/users/2');
  await call('/made-up-by-me');
  const text = await world.metrics.registry.metrics();
  expect(text).toMatch(/http_requests_total\{method="GET",route="\/v1\/users\/\{id\}",status="200"\} \d+/);
  expect(text).not.toContain('made-up');
});

test('requests that overlap are counted each by its own route', async () => {
  await using counted = await startWorld();
  const get = async (path: string) => (await fetch(counted.url + path)).arrayBuffer();
  await Promise.all(Array.from({ length: 10 }, () => [get('/v1/users/1'), get('/v1/products')]).flat());
  await get('/v1/nothing');
  const metrics = await counted.metrics.registry.metrics();
  for (const labels of [
    'route="/v1/users/{id}",status="200"} 10',
    'route="/v1/products",status="200"} 10',
    'route="/v1/*",status="404"} 1',
  ]) {
    expect(metrics).toContain(`http_requests_total{method="GET",${labels}`);
  }
});

test('10,000 bodies and frames that make no sense: no crash and no INTERNAL', { timeout: 240_000 }, async () => {
  const paths = ['/v1/users', '/v1/orders', '/v1/auth/login', '/v1/rooms/r/messages', '/v1/rooms/r:markRead'];
  await using wide = await startWorld({
    env: {
      PARLEY_SIGN_INS_PER_MINUTE: '1000000',
      PARLEY_REQUESTS_PER_MINUTE: '1000000',
      PARLEY_FRAMES_PER_SECOND: '1000000',
    },
  });
  const authorization = `Bearer ${wide.token('7', 'alice')}`;
  const fields = [
    'username',
    'items',
    'content',
    'id',
    'room_id',
    'ref',
    'send',
    'hello',
    'subscribe',
    'after',
    '__proto__',
  ];
  const nearly = fc.dictionary(fc.constantFrom(...fields), fc.jsonValue()).map((value) => JSON.stringify(value));
  const texts = fc.oneof(fc.string(), fc.json(), nearly, fc.string({ unit: 'binary' }));
  const bodies = fc.sample(fc.oneof(texts, fc.uint8Array({ maxLength: 64 })), { numRuns: 5000, seed: 1 });
  const counts: Record<number, number> = {};
  for (let at = 0; at < bodies.length; at += 50) {
    await Promise.all(
      bodies.slice(at, at + 50).map(async (body, n) => {
        const headers = { 'content-type': 'application/json', authorization };
        const response = await fetch(wide.url + paths[n % paths.length], {
          method: 'POST',
          headers,
          body: body as string,
        });
        counts[response.status] = (counts[response.status] ?? 0) + 1;
        await response.arrayBuffer();
      }),
    );
  }
  expect(Object.keys(counts).filter((status) => Number(status) >= 500)).toEqual([]);
  await using socket = await TestSocket.hello(wide.url, wide.token('7', 'alice'));
  for (const text of fc.sample(texts, { numRuns: 5000, seed: 2 })) {
    if (text.isWellFormed()) socket.send(text);
    else socket.send('{');
  }
  expect((await socket.ask({ hello: { token: wide.token('7', 'alice') } })).welcome?.user_id).toBe('7');
  expect(socket.frames.some(({ error }) => error?.code === 'INTERNAL')).toBe(false);
});

test('bytes that are not HTTP end their own connection only', async () => {
  for (const bytes of [
    '\x00\x01\x02',
    'GET / HTTP/9.9\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
    'GET / HTTP/1.1\r\nX: \x00\r\n\r\n',
  ]) {
    const answer = await new Promise<string>((resolve) => {
      let heard = '';
      const socket = connect(world.gateway.httpPort, '127.0.0.1', () => socket.write(bytes));
      socket.on('data', (chunk) => {
        heard += chunk;
      });
      socket.on('close', () => resolve(heard));
      socket.on('error', () => undefined);
    });
    expect(answer).toMatch(/^(HTTP\/1\.1 4|$)/);
  }
  expect((await call('/v1/users')).status).toBe(200);
});
