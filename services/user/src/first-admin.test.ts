import { type Logger, readSettings, StartError, TokenVerifier } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { Accounts } from './accounts.ts';
import { makeFirstAdmin } from './first-admin.ts';
import { Passwords } from './passwords.ts';
import { firstAdminOf, userSettings } from './settings.ts';
import { type Store, stores } from './testing/stores.ts';
import { defaults, failure, serveUsers } from './testing/user-server.ts';

const password = 'correct horse battery';
const admin = { adminUsername: 'root', adminPassword: password };

let store: Store;
sharedFixture(async (stack) => {
  store = stack.use(await stores[0]!.open());
});

test('the first admin is made at start, once, and may do what admins may', async () => {
  for (let start = 0; start < 2; start++) {
    await using server = await serveUsers({ database: store.database, authMode: 'required', settings: admin });
    const { access_token, user } = await server.auth.login({ username: 'root', password });
    expect(new TokenVerifier(server.keys).verify(access_token).role).toBe('admin');
    expect(user?.email).toBe('');
    const profile = { username: `made-${start}`, email: `made-${start}@example.com` };
    expect((await server.users.createUser(profile, { token: access_token })).user).toMatchObject(profile);
    expect((await server.users.listUsers({}, { token: access_token })).total).toBe(start + 2);
  }
});

test('where there is an admin, the settings change nothing', async () => {
  await (await serveUsers({ database: store.database, settings: admin }))[Symbol.asyncDispose]();
  const settings = { adminUsername: 'other', adminPassword: 'another password' };
  await using server = await serveUsers({ database: store.database, settings });
  const error = await failure(server.auth.login({ username: 'other', password: 'another password' }));
  expect(error.code).toBe('UNAUTHENTICATED');
});

test('a name that somebody has is made no admin; an error says what to do, and the service runs', async () => {
  const { database } = store;
  await sql`truncate users.account cascade`.execute(database.as());
  const accounts = new Accounts(database, { nameReleaseMs: 0 });
  const profile = { username: 'Root', email: 'root@example.com', full_name: '', password_hash: null };
  const { id } = await accounts.create({ ...profile, role: 'member' });
  const logged: unknown[] = [];
  const log = { info() {}, error: (...line: unknown[]) => logged.push(...line) } as unknown as Logger;
  await makeFirstAdmin({ username: 'root', password }, { database, accounts, passwords: new Passwords(1024), log });
  expect(logged).toEqual([
    { username: 'root', hint: expect.stringContaining('PARLEY_ADMIN_USERNAME') },
    'admin.name_taken',
  ]);
  expect((await accounts.get(id)).role).toBe('member');
});

test('several processes that start together make one admin', async () => {
  await using own = await stores[1]!.open();
  const servers = await Promise.all(
    Array.from({ length: 4 }, () => serveUsers({ database: own.database, settings: admin })),
  );
  expect((await servers[3]!.users.listUsers({})).total).toBe(1);
  for (const server of servers) await server[Symbol.asyncDispose]();
});

test('settings that cannot be used are named with what is allowed, and no password is shown', () => {
  const read = () =>
    readSettings(userSettings, {
      PARLEY_ADMIN_USERNAME: 'no spaces',
      PARLEY_ADMIN_PASSWORD: 'secret',
      PARLEY_ARGON2_MEMORY_KIB: '12',
      PARLEY_NAME_RELEASE_DAYS: '-1',
    });
  expect(read).toThrow(StartError);
  expect(read).toThrow(/PARLEY_ADMIN_USERNAME is "no spaces"; 1 to 64 letters/);
  expect(read).toThrow(/PARLEY_ADMIN_PASSWORD is \(hidden\); 8 to 256 characters are allowed/);
  expect(read).toThrow(/PARLEY_ARGON2_MEMORY_KIB is "12"; a whole number from 1024 to 1048576/);
  expect(read).toThrow(/PARLEY_NAME_RELEASE_DAYS is "-1"/);
});

test('one of name and password without the other stops the start', () => {
  expect(() => firstAdminOf({ ...defaults, adminUsername: 'root' })).toThrow(/PARLEY_ADMIN_PASSWORD is not: set both/);
  expect(() => firstAdminOf({ ...defaults, adminPassword: password })).toThrow(/PARLEY_ADMIN_USERNAME is not/);
  expect(firstAdminOf(defaults)).toBeUndefined();
});
