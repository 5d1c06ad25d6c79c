/** Who may do what: the contract's table, one test a cell. The rules do not depend on the store. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Store, stores } from './testing/stores.ts';
import { failure, serveUsers, type UserServer } from './testing/user-server.ts';

const password = 'correct horse battery';
let count = 0;
const someone = () => {
  count++;
  return { username: `someone-${count}`, email: `someone-${count}@example.com`, full_name: '' };
};
const code = async (call: Promise<unknown>) => (await failure(call)).code;
const onlyName = (id: string) => ({ id, full_name: 'New', update_mask: { paths: ['full_name'] } });

let store: Store;
let open: UserServer;
let required: UserServer;
beforeAll(async () => {
  store = await stores[0]!.open();
  open = await serveUsers({ database: store.database, authMode: 'open' });
  required = await serveUsers({ database: store.database, authMode: 'required' });
});
afterAll(async () => {
  await open[Symbol.asyncDispose]();
  await required[Symbol.asyncDispose]();
  await store[Symbol.asyncDispose]();
});

/** A user without a password, and one with. */
const made = async () => (await open.users.createUser(someone())).user!;
const member = async () => {
  const { user, access_token } = await open.auth.register({ ...someone(), password });
  return { ...user!, token: access_token };
};

describe('without a token, PARLEY_AUTH=open', () => {
  test('CreateUser: yes, answered with the whole user', async () => {
    const profile = someone();
    expect((await open.users.createUser(profile)).user).toMatchObject(profile);
  });
  test('GetUser, ListUsers: yes, with the addresses of users without a password only', async () => {
    const [one, other] = [await made(), await member()];
    expect((await open.users.getUser({ id: one.id })).user?.email).toBe(one.email);
    expect((await open.users.getUser({ id: other.id })).user?.email).toBe('');
    const { total } = await open.users.listUsers({});
    const { users } = await open.users.listUsers({ page: Math.ceil(total / 20) });
    expect(users.find(({ id }) => id === other.id)?.email ?? '').toBe('');
  });
  test('UpdateUser, DeleteUser: users without a password', async () => {
    const { id } = await made();
    expect((await open.users.updateUser(onlyName(id))).user?.full_name).toBe('New');
    expect(await open.users.deleteUser({ id })).toEqual({ success: true });
  });
  test('UpdateUser, DeleteUser: not users with a password', async () => {
    const { id } = await member();
    expect(await code(open.users.updateUser(onlyName(id)))).toBe('PERMISSION_DENIED');
    expect(await code(open.users.deleteUser({ id }))).toBe('PERMISSION_DENIED');
  });
  test('WatchRevocations, LookupUsers: UNAUTHENTICATED', async () => {
    expect(await code(open.auth.watchRevocations({}).each(() => undefined))).toBe('UNAUTHENTICATED');
    expect(await code(open.auth.lookupUsers({}))).toBe('UNAUTHENTICATED');
  });
});

describe('without a token, PARLEY_AUTH=required', () => {
  test.each(['createUser', 'getUser', 'updateUser', 'deleteUser', 'listUsers'] as const)(
    '%s: UNAUTHENTICATED',
    async (method) => {
      const call: (request: object) => Promise<unknown> = required.users[method];
      expect(await code(call({ id: (await made()).id }))).toBe('UNAUTHENTICATED');
    },
  );
  test('WatchRevocations, LookupUsers: UNAUTHENTICATED', async () => {
    expect(await code(required.auth.watchRevocations({}).each(() => undefined))).toBe('UNAUTHENTICATED');
    expect(await code(required.auth.lookupUsers({}))).toBe('UNAUTHENTICATED');
  });
  test('Register, Login, Refresh, Logout: yes', async () => {
    const profile = { ...someone(), password };
    await required.auth.register(profile);
    const { refresh_token } = await required.auth.login({ username: profile.username, password });
    const next = await required.auth.refresh({ refresh_token });
    expect(await required.auth.logout({ refresh_token: next.refresh_token })).toEqual({});
  });
});

describe.each(['open', 'required'] as const)('signed in, PARLEY_AUTH=%s', (mode) => {
  const server = () => (mode === 'open' ? open : required);

  test('CreateUser: admins only', async () => {
    const { token } = await member();
    expect(await code(server().users.createUser(someone(), { token }))).toBe('PERMISSION_DENIED');
    expect(await code(server().users.createUser(someone(), { token: server().service }))).toBe('PERMISSION_DENIED');
    const profile = someone();
    expect((await server().users.createUser(profile, { token: server().admin })).user).toMatchObject(profile);
  });
  test("GetUser, ListUsers: yes; others' addresses are blank unless admin", async () => {
    const [self, one, other] = [await member(), await made(), await member()];
    const email = async (id: string, token: string) => (await server().users.getUser({ id }, { token })).user?.email;
    expect(await email(self.id, self.token)).toBe(self.email);
    expect(await email(one.id, self.token)).toBe('');
    expect(await email(other.id, self.token)).toBe('');
    expect(await email(other.id, server().service)).toBe('');
    expect(await email(other.id, server().admin)).toBe(other.email);
    const { total } = await server().users.listUsers({}, { token: self.token });
    const last = { page: Math.ceil(total / 100), page_size: 100 };
    const listed = async (token: string) =>
      new Map((await server().users.listUsers(last, { token })).users.map((user) => [user.id, user.email]));
    const seen = await listed(self.token);
    for (const [id, address] of seen) expect(address).toBe(id === self.id ? self.email : '');
    expect([...(await listed(server().admin)).values()]).not.toContain('');
  });
  test('UpdateUser, DeleteUser: oneself', async () => {
    const { id, email, token } = await member();
    const { user } = await server().users.updateUser(onlyName(id), { token });
    expect(user).toMatchObject({ full_name: 'New', email });
    expect(await server().users.deleteUser({ id }, { token })).toEqual({ success: true });
  });
  test('UpdateUser, DeleteUser: admins', async () => {
    for (const { id } of [await member(), await made()]) {
      const settings = { token: server().admin };
      expect((await server().users.updateUser(onlyName(id), settings)).user?.email).not.toBe('');
      expect(await server().users.deleteUser({ id }, settings)).toEqual({ success: true });
    }
  });
  test('UpdateUser, DeleteUser: not others, with a password or without', async () => {
    const { token } = await member();
    for (const { id } of [await member(), await made()]) {
      expect(await code(server().users.updateUser(onlyName(id), { token }))).toBe('PERMISSION_DENIED');
      expect(await code(server().users.deleteUser({ id }, { token }))).toBe('PERMISSION_DENIED');
      expect(await code(server().users.deleteUser({ id }, { token: server().service }))).toBe('PERMISSION_DENIED');
    }
  });
  test('WatchRevocations, LookupUsers: services and admins', async () => {
    const { token } = await member();
    expect(await code(server().auth.lookupUsers({}, { token }))).toBe('PERMISSION_DENIED');
    expect(
      await code(
        server()
          .auth.watchRevocations({}, { token })
          .each(() => undefined),
      ),
    ).toBe('PERMISSION_DENIED');
    for (const good of [server().service, server().admin]) {
      expect(await server().auth.lookupUsers({}, { token: good })).toEqual({ users: [] });
      const stopped = new AbortController();
      const stream = server().auth.watchRevocations({}, { token: good, signal: stopped.signal });
      await new Promise((resolve) => stream.stream.once('metadata', resolve).once('data', resolve));
      stopped.abort();
    }
  });
});
