import { Database, KeyRing, migrate, silentLog, TokenVerifier } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { startPostgres } from '@parley/kit/testing/postgres';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { Revocations, revokeNow } from './revocations.ts';
import { userSchema } from './schema.ts';
import { type Store, stores } from './testing/stores.ts';
import { failure, keyFolder, serveUsers } from './testing/user-server.ts';

const profile = { username: 'alice', email: 'alice@example.com', password: 'correct horse battery' };

let store: Store;
sharedFixture(async (stack) => {
  store = stack.use(await stores[0]!.open());
});

test('what one process revokes, every other tells its watchers and holds itself', async () => {
  await using postgres = await startPostgres();
  await using here = await Database.open({ url: postgres.url, log: silentLog });
  await using there = await Database.open({ url: postgres.url, log: silentLog });
  await migrate(here, userSchema);
  await using one = await serveUsers({ database: here });
  await using other = await serveUsers({ database: there });
  const heard: string[] = [];
  const stopped = new AbortController();
  const stream = other.auth.watchRevocations({}, { token: other.service, signal: stopped.signal });
  const ended = failure(stream.each(({ user_id }) => heard.push(user_id)));
  const { user, access_token: token } = await one.auth.register(profile);
  expect((await other.users.getUser({ id: user!.id }, { token })).user).toEqual(user);
  await one.auth.logout({}, { token });
  await expect.poll(() => heard, { timeout: 5000 }).toEqual([user!.id]);
  expect((await failure(other.users.getUser({ id: user!.id }, { token }))).code).toBe('UNAUTHENTICATED');
  stopped.abort();
  await ended;
});

test('a process that starts holds what is in force already', async () => {
  let token = '';
  {
    await using before = await serveUsers({ database: store.database });
    token = (await before.auth.register(profile)).access_token;
    await before.auth.logout({}, { token });
  }
  await using after = await serveUsers({ database: store.database });
  expect((await failure(after.users.listUsers({}, { token }))).code).toBe('UNAUTHENTICATED');
});

test('what is older than any token is not told any more', async () => {
  const { database } = store;
  await sql`insert into users.revocation values
    (1001, now() - interval '17 minutes'), (1002, now() - interval '5 minutes')`.execute(database.as());
  const verifier = new TokenVerifier(new KeyRing(keyFolder));
  await using revocations = await Revocations.open({ database, verifier, log: silentLog });
  const told: string[] = [];
  const stop = revocations.watch(({ userId }) => told.push(userId));
  revocations.tell('1003', await revokeNow(database.as(), '1003'));
  stop();
  revocations.tell('1004', await revokeNow(database.as(), '1004'));
  expect(told.filter((id) => Number(id) > 1000)).toEqual(['1002', '1003']);
});

test('an admin who is signed out hears it, and his watch ends', async () => {
  const settings = { adminUsername: 'root', adminPassword: profile.password };
  await using server = await serveUsers({ database: store.database, settings });
  const { access_token: token, user } = await server.auth.login({ username: 'root', password: profile.password });
  const heard: string[] = [];
  const stream = server.auth.watchRevocations({}, { token });
  const ended = failure(stream.each(({ user_id }) => heard.push(user_id)));
  await server.users.listUsers({}, { token });
  await server.auth.logout({}, { token });
  expect((await ended).code).toBe('UNAUTHENTICATED');
  expect(heard).toContain(user!.id);
});
