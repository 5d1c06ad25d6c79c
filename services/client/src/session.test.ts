import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createApi } from './api.ts';
import { MemoryKeep, Session, type TokenKeep, type Tokens } from './session.ts';

/** Signs in like the real one: a refresh token works once, and its second use ends the session. */
class SignInServer {
  readonly server: Server = createServer((request, response) => void this.#answer(request, response));
  readonly asked: string[] = [];
  refreshToken = '';
  issued = 0;
  expiresIn = 900;
  user = { id: '7', username: 'ann' };

  readonly #held = new Map<string, Promise<void>>();

  /** Answers nothing on this path until what it returns is called. */
  hold(path: string): () => void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#held.set(path, promise);
    return resolve;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const path = request.url!;
    this.asked.push(path);
    await this.#held.get(path);
    const body = request.method === 'POST' ? ((await json(request)) as Record<string, string>) : {};
    const problem = (status: number, code: string, headers = {}) =>
      response
        .writeHead(status, { 'content-type': 'application/problem+json', ...headers })
        .end(JSON.stringify({ status, code, detail: `because ${code}`, errors: [{ field: 'f', description: 'd' }] }));
    if (path === '/v1/products') problem(429, 'RESOURCE_EXHAUSTED', { 'retry-after': '3' });
    else if (path === '/v1/orders/x') response.writeHead(502).end('<h1>Bad gateway</h1>');
    else if (path === '/v1/auth/refresh' && body.refresh_token !== this.refreshToken) problem(401, 'UNAUTHENTICATED');
    else if (path === '/v1/auth/logout') response.end('{}');
    else {
      this.refreshToken = `r${++this.issued}`;
      const session = {
        user: this.user,
        access_token: `a${this.issued}`,
        refresh_token: this.refreshToken,
      };
      response.end(JSON.stringify({ ...session, expires_in: this.expiresIn }));
    }
  }
}

/** Keeps everything, as the file of the command line does. */
class Keep implements TokenKeep {
  tokens: Tokens | undefined;
  #last: Promise<unknown> = Promise.resolve();
  load = async () => this.tokens;
  save = async (tokens: Tokens | undefined) => {
    this.tokens = tokens;
  };
  exclusive = <Result>(work: () => Promise<Result>): Promise<Result> => {
    const mine = this.#last.then(work);
    this.#last = mine.catch(() => {});
    return mine;
  };
}

let server: SignInServer;
beforeEach(async () => {
  server = new SignInServer();
  server.server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
});
afterEach(() => server.server.close());

test('a token that is good for a while is used as it is', async () => {
  const session = new Session(server.url, new Keep());
  await session.login('ann', 'secret');
  expect(await session.credential()).toMatchObject({ token: 'a1' });
  expect(server.asked).toEqual(['/v1/auth/login']);
});

test('one that expires soon, or was refused, is traded once, however many ask', async () => {
  server.expiresIn = 30;
  const session = new Session(server.url, new Keep());
  await session.login('ann', 'secret');
  server.expiresIn = 900;
  const all = await Promise.all(Array.from({ length: 10 }, () => session.credential()));
  expect(new Set(all.map(({ token }) => token))).toEqual(new Set(['a2']));
  expect((await session.credential(true)).token).toBe('a3');
  expect(server.asked.filter((path) => path.endsWith('refresh'))).toHaveLength(2);
});

test('two programs that share a keep never use a refresh token twice', async () => {
  server.expiresIn = 30;
  const keep = new Keep();
  const [one, two] = [new Session(server.url, keep), new Session(server.url, keep)];
  await one.login('ann', 'secret');
  server.expiresIn = 900;
  const tokens = await Promise.all([one.credential(), two.credential()]);
  expect(tokens.map(({ token }) => token)).toEqual(['a2', 'a2']);
});

test('a session that has ended is forgotten, and wants a new sign-in', async () => {
  const keep = new Keep();
  const session = new Session(server.url, keep);
  await session.login('ann', 'secret');
  server.refreshToken = 'another';
  await expect(session.credential(true)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  expect(keep.tokens).toBeUndefined();
});

test('whoever else signs in in the same browser takes the cookie, and nobody goes on in his name', async () => {
  const keep = new MemoryKeep();
  const session = new Session(server.url, keep);
  await session.login('ann', 'secret');
  // The cookie is the other's now, so the trade succeeds.
  server.refreshToken = '';
  server.user = { id: '8', username: 'bob' };
  await expect(session.credential(true)).rejects.toMatchObject({
    code: 'UNAUTHENTICATED',
    message: 'bob has signed in in this browser: sign in again',
  });
  expect(await keep.load()).toBeUndefined();
});

test('a trade that is under way takes nothing from who signs in meanwhile', async () => {
  const keep = new Keep();
  const session = new Session(server.url, keep);
  await session.login('ann', 'secret');
  server.refreshToken = 'ended elsewhere';
  const answer = server.hold('/v1/auth/refresh');
  const refused = expect(session.credential(true)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
  await expect.poll(() => server.asked).toContain('/v1/auth/refresh');
  server.user = { id: '8', username: 'bob' };
  const bob = session.login('bob', 'secret');
  // As long as another request takes, his waits.
  await createApi(server.url, async () => '').orders.get('1');
  answer();
  await refused;
  await bob;
  expect(keep.tokens?.user.username).toBe('bob');
  expect(server.asked).toEqual(['/v1/auth/login', '/v1/auth/refresh', '/v1/orders/1', '/v1/auth/login']);
});

test('in a page no script ever holds the refresh token', async () => {
  const keep = new MemoryKeep();
  await new Session(server.url, keep).login('ann', 'secret');
  expect(await keep.load()).toMatchObject({ accessToken: 'a1', refreshToken: '' });
});

test('refusals carry code, text, fields and when to try again; a proxy’s page is one as well', async () => {
  const api = createApi(server.url, async () => '');
  await expect(api.products()).rejects.toMatchObject({
    code: 'RESOURCE_EXHAUSTED',
    message: 'because RESOURCE_EXHAUSTED',
    details: { status: 429, retryAfterMs: 3000, fields: [{ field: 'f', description: 'd' }] },
  });
  await expect(api.orders.get('x')).rejects.toMatchObject({ code: 'UNAVAILABLE', message: 'the server answered 502' });
  const nobody = createApi('http://127.0.0.1:1', async () => '');
  await expect(nobody.products()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
