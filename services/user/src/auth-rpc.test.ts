import { TokenVerifier } from '@parley/kit';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Store, stores } from './testing/stores.ts';
import { failure, serveUsers, type UserServer } from './testing/user-server.ts';

describe.each(stores)('auth.AuthService on $name', ({ open }) => {
  let store: Store;
  let server: UserServer;
  let count = 0;
  const password = 'correct horse battery';
  const someone = () => {
    count++;
    return { username: `Member-${count}`, email: `member-${count}@example.com`, full_name: '', password };
  };
  const register = async () => {
    const profile = someone();
    return { ...profile, session: await server.auth.register(profile) };
  };

  beforeAll(async () => {
    store = await open();
    server = await serveUsers({ database: store.database, authMode: 'required' });
  });
  afterAll(async () => {
    await server?.[Symbol.asyncDispose]();
    await store?.[Symbol.asyncDispose]();
  });

  test('who registers is signed in for 15 minutes', async () => {
    const { username, email, session } = await register();
    expect(session.user).toMatchObject({ username, email });
    expect(session.expires_in).toBe(900);
    const caller = new TokenVerifier(server.keys).verify(session.access_token);
    expect(caller).toMatchObject({ kind: 'user', userId: session.user!.id, username, role: 'member' });
    expect(caller.expiresAt - caller.issuedAt).toBe(900);
    const own = await server.users.getUser({ id: session.user!.id }, { token: session.access_token });
    expect(own.user).toEqual(session.user);
  });

  test('a registration with wrong fields names them all, and shows no password', async () => {
    const short = await failure(
      server.auth.register({ username: '', email: 'x', full_name: '\u0007', password: 'abc' }),
    );
    expect(short.code).toBe('INVALID_ARGUMENT');
    expect(short.details.fields?.map(({ field }) => field)).toEqual(['username', 'email', 'full_name', 'password']);
    expect(short.message).toContain('password has 3 characters; 8 to 256 characters are allowed');
    for (const bad of ['        ', 'x'.repeat(257)]) {
      const error = await failure(server.auth.register({ ...someone(), password: bad }));
      expect(error.details.fields?.map(({ field }) => field)).toEqual(['password']);
      expect(error.message).not.toContain(bad);
    }
  });

  test('a name or an address that is taken cannot be registered', async () => {
    const { username, email } = await register();
    expect(await failure(server.auth.register({ ...someone(), username: username.toLowerCase() }))).toMatchObject({
      code: 'ALREADY_EXISTS',
      details: { reason: 'USERNAME_TAKEN' },
    });
    expect(await failure(server.auth.register({ ...someone(), email }))).toMatchObject({
      details: { reason: 'EMAIL_TAKEN' },
    });
  });

  test('the right password signs in, in whatever case the name is written and however its letters are composed', async () => {
    const composed = { ...someone(), password: 'caf\u00e9 au lait' };
    await server.auth.register(composed);
    const session = await server.auth.login({
      username: composed.username.toUpperCase(),
      password: 'cafe\u0301 au lait',
    });
    expect(session.user?.username).toBe(composed.username);
  });

  test('a wrong password, an unknown name and a user without a password hear one and the same', async () => {
    const { username } = await register();
    const made = await server.users.createUser(someone(), { token: server.admin });
    const errors = await Promise.all(
      [
        { username, password: 'wrong password' },
        { username: 'nobody-at-all', password },
        { username: made.user!.username, password },
        { username: made.user!.username, password: 'x'.repeat(100_000) },
        { username: 'x'.repeat(100_000), password },
        { username: '\u0000', password },
      ].map((request) => failure(server.auth.login(request))),
    );
    for (const { code, message } of errors)
      expect({ code, message }).toEqual({
        code: 'UNAUTHENTICATED',
        message: 'the username or the password is wrong',
      });
    const empty = await failure(server.auth.login({}));
    expect(empty).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(empty.details.fields?.map(({ field }) => field)).toEqual(['username', 'password']);
  });

  test('a refresh token works once; its successor goes on', async () => {
    const { session } = await register();
    const second = await server.auth.refresh({ refresh_token: session.refresh_token });
    expect(second.user).toEqual(session.user);
    expect(second.refresh_token).not.toBe(session.refresh_token);
    const third = await server.auth.refresh({ refresh_token: second.refresh_token });
    expect(new TokenVerifier(server.keys).verify(third.access_token).userId).toBe(session.user!.id);
  });

  test('a refresh token used twice ends its family and the access tokens, and leaves other families alone', async () => {
    const { username, session } = await register();
    const elsewhere = await server.auth.login({ username, password });
    const second = await server.auth.refresh({ refresh_token: session.refresh_token });
    const message = 'the refresh token is not valid, has expired or was used before: sign in again';
    const reused = await failure(server.auth.refresh({ refresh_token: session.refresh_token }));
    expect(reused).toMatchObject({ code: 'UNAUTHENTICATED', message });
    expect(await failure(server.auth.refresh({ refresh_token: second.refresh_token }))).toMatchObject({ message });
    const { id } = session.user!;
    expect((await failure(server.users.getUser({ id }, { token: second.access_token }))).code).toBe('UNAUTHENTICATED');
    const fresh = await server.auth.refresh({ refresh_token: elsewhere.refresh_token });
    expect((await server.users.getUser({ id }, { token: fresh.access_token })).user?.id).toBe(id);
  });

  test('of 20 who come with one refresh token at once, one at most is served, and the family ends', async () => {
    const { session } = await register();
    const { refresh_token } = session;
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => server.auth.refresh({ refresh_token })));
    const served = answers.filter((answer) => answer.status === 'fulfilled');
    expect(served).toHaveLength(1);
    const next = await failure(server.auth.refresh({ refresh_token: served[0]!.value.refresh_token }));
    expect(next.code).toBe('UNAUTHENTICATED');
  });

  test('refresh tokens that are unknown, empty or expired are refused', async () => {
    for (const refresh_token of ['x', 'x'.repeat(100_000), '\u0000'])
      expect((await failure(server.auth.refresh({ refresh_token }))).code).toBe('UNAUTHENTICATED');
    expect((await failure(server.auth.refresh({}))).code).toBe('INVALID_ARGUMENT');
    const { session } = await register();
    await sql`update users.refresh_token set expires_at = now() where session_id in
      (select id from users.session where user_id = ${session.user!.id})`.execute(store.database.as());
    const expired = await failure(server.auth.refresh({ refresh_token: session.refresh_token }));
    expect(expired.code).toBe('UNAUTHENTICATED');
  });

  test('neither passwords nor refresh tokens are stored as they are', async () => {
    const { session } = await register();
    const { rows } = await sql<{ all: string }>`select
      (select string_agg(account::text, ' ') from users.account) ||
      (select string_agg(refresh_token::text, ' ') from users.refresh_token) as all`.execute(store.database.as());
    expect(rows[0]?.all).toContain('$argon2id$v=19$');
    expect(rows[0]?.all).not.toContain(password);
    expect(rows[0]?.all).not.toContain(session.refresh_token);
    expect(rows[0]?.all).not.toContain(Buffer.from(session.refresh_token).toString('hex'));
  });

  test('who logs out ends this family only; who is signed in and names none, all of them', async () => {
    const { username, session } = await register();
    const other = await server.auth.login({ username, password });
    expect(await server.auth.logout({ refresh_token: session.refresh_token })).toEqual({});
    expect(await server.auth.logout({ refresh_token: session.refresh_token })).toEqual({});
    expect((await failure(server.auth.refresh({ refresh_token: session.refresh_token }))).code).toBe('UNAUTHENTICATED');
    const { refresh_token, access_token } = await server.auth.refresh({ refresh_token: other.refresh_token });
    await server.auth.logout({}, { token: access_token });
    expect((await failure(server.auth.refresh({ refresh_token }))).code).toBe('UNAUTHENTICATED');
    const stale = await failure(server.users.listUsers({}, { token: access_token }));
    expect(stale.code).toBe('UNAUTHENTICATED');
    expect((await failure(server.auth.logout({}))).code).toBe('INVALID_ARGUMENT');
  });

  test('who signs in right after he was signed out has a token that is good', async () => {
    const { username, session } = await register();
    await server.auth.logout({}, { token: session.access_token });
    const { access_token } = await server.auth.login({ username, password });
    expect((await server.users.listUsers({}, { token: access_token })).users.length).toBeGreaterThan(0);
  });

  test('a deleted user is signed out everywhere', async () => {
    const { username, session } = await register();
    const { id } = session.user!;
    await server.users.deleteUser({ id }, { token: session.access_token });
    const errors = await Promise.all([
      failure(server.users.listUsers({}, { token: session.access_token })),
      failure(server.auth.refresh({ refresh_token: session.refresh_token })),
      failure(server.auth.login({ username, password })),
    ]);
    expect(errors.map(({ code }) => code)).toEqual(['UNAUTHENTICATED', 'UNAUTHENTICATED', 'UNAUTHENTICATED']);
  });

  test('who changes his name needs a token with the new one', async () => {
    const { session } = await register();
    const { id } = session.user!;
    const { username } = someone();
    const change = { id, username, update_mask: { paths: ['username'] } };
    await server.users.updateUser(change, { token: session.access_token });
    const stale = await failure(server.users.listUsers({}, { token: session.access_token }));
    expect(stale.code).toBe('UNAUTHENTICATED');
    const { access_token } = await server.auth.refresh({ refresh_token: session.refresh_token });
    expect(new TokenVerifier(server.keys).verify(access_token).username).toBe(username);
  });

  test('services learn who has a name or an id, and whether he has a password', async () => {
    const { username, session } = await register();
    const made = (await server.users.createUser(someone(), { token: server.admin })).user!;
    const request = {
      usernames: [username.toUpperCase(), 'nobody-at-all', '\u0000'],
      user_ids: [made.id, '123456789'],
    };
    const { users } = await server.auth.lookupUsers(request, { token: server.service });
    expect(users).toEqual([
      { user_id: session.user!.id, username, registered: true },
      { user_id: made.id, username: made.username, registered: false },
    ]);
    const many = { usernames: new Array<string>(1001).fill('x') };
    expect((await failure(server.auth.lookupUsers(many, { token: server.service }))).message).toContain(
      'are 1001; at most 1000 together are allowed',
    );
  });

  test('a watcher hears of what is in force first, and of every revocation as it happens', async () => {
    const before = await register();
    await server.auth.logout({}, { token: before.session.access_token });
    const heard: string[] = [];
    const stopped = new AbortController();
    const stream = server.auth.watchRevocations({}, { token: server.service, signal: stopped.signal });
    const ended = failure(stream.each(({ user_id }) => heard.push(user_id)));
    await expect.poll(() => heard, { timeout: 10_000 }).toContain(before.session.user!.id);
    const after = await register();
    await server.users.deleteUser({ id: after.session.user!.id }, { token: server.admin });
    await expect.poll(() => heard, { timeout: 10_000 }).toContain(after.session.user!.id);
    stopped.abort();
    expect((await ended).code).toBe('CANCELLED');
  });
});
