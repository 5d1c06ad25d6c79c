import { KeyRing, silentLog, TokenVerifier } from '@parley/kit';
import { sql } from 'kysely';
import { expect, test, vi } from 'vitest';
import { Accounts } from './accounts.ts';
import { Passwords } from './passwords.ts';
import { Revocations } from './revocations.ts';
import { Sessions } from './sessions.ts';
import { stores } from './testing/stores.ts';
import { keyFolder } from './testing/user-server.ts';

test.each(stores)('on $name, families that nobody can come back to are forgotten, and no others', async ({ open }) => {
  await using store = await open();
  const { database } = store;
  const keys = new KeyRing(keyFolder);
  await using revocations = await Revocations.open({ database, verifier: new TokenVerifier(keys), log: silentLog });
  const accounts = new Accounts(database, { nameReleaseMs: 0 });
  const sessionsOf = (sessionMs: number) => new Sessions({ database, keys, revocations, sessionMs });
  const profile = { username: 'alice', email: 'alice@example.com', full_name: '', password_hash: 'x' };
  const alice = await accounts.create({ ...profile, role: 'member' });
  await sessionsOf(-1).begin(alice);
  const kept = await sessionsOf(60_000).begin(alice);
  const second = await sessionsOf(60_000).refresh(kept.refresh_token);
  await sessionsOf(60_000).forgetExpired();
  const count = async (table: string) => {
    const { rows } = await sql<{ n: string }>`select count(*) as n from ${sql.table(table)}`.execute(database.as());
    return Number(rows[0]?.n);
  };
  expect(await count('users.session')).toBe(1);
  expect(await count('users.refresh_token')).toBe(2);
  expect((await sessionsOf(60_000).refresh(second.refresh_token)).user.id).toBe(alice.id);
});

test.each(stores)('on $name, who is signed out while he signs in again has no token that is good', async ({ open }) => {
  await using store = await open();
  const { database } = store;
  const keys = new KeyRing(keyFolder);
  const verifier = new TokenVerifier(keys);
  await using revocations = await Revocations.open({ database, verifier, log: silentLog });
  const sessions = new Sessions({ database, keys, revocations, sessionMs: 60_000 });
  const profile = { username: 'alice', email: 'alice@example.com', full_name: '', password_hash: 'x' };
  const alice = await new Accounts(database, { nameReleaseMs: 0 }).create({ ...profile, role: 'member' });
  await sessions.endAll(alice.id);
  // It waits for the second after the revocation's.
  const signingIn = sessions.begin(alice);
  const families = async () => (await sql`select from users.session`.execute(database.as())).rows.length;
  await expect.poll(families, { interval: 5 }).toBe(1);
  await sessions.endAll(alice.id);
  const checked = signingIn.then(({ access_token }) => verifier.verify(access_token));
  await expect(checked).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
});

test('a password hashed at another cost is hashed anew when it is used', async () => {
  const [cheap, dear] = [new Passwords(1024), new Passwords(2048)];
  const turn = { address: '', signal: new AbortController().signal };
  const hash = await cheap.hash('correct horse', turn);
  expect(await dear.verify(hash, 'correct horse', turn)).toBe(true);
  expect(cheap.isOutdated(hash)).toBe(false);
  expect(dear.isOutdated(hash)).toBe(true);
});

test('equal passwords have different hashes', async () => {
  const passwords = new Passwords(1024);
  const turn = { address: '', signal: new AbortController().signal };
  const [one, other] = [await passwords.hash('correct horse', turn), await passwords.hash('correct horse', turn)];
  expect(one).not.toBe(other);
});

test('a password that is too long for anybody is as wrong as any, and costs its sender a hash and the process no more', async () => {
  const passwords = new Passwords(1024);
  const turn = { address: '', signal: new AbortController().signal };
  // Vietnamese letters: of one character, or of three, by the keyboard.
  const hash = await passwords.hash('\u1ec7'.repeat(256), turn);
  using normalize = vi.spyOn(String.prototype, 'normalize');
  expect(await passwords.verify(hash, 'e\u0323\u0302'.repeat(256), turn)).toBe(true);
  for (const hashed of [hash, undefined])
    expect(await passwords.verify(hashed, '\ufdfa'.repeat(1_390_000), turn)).toBe(false);
  expect(normalize).toHaveBeenCalledTimes(3);
  expect(Math.max(...normalize.mock.contexts.map((text) => (text as string).length))).toBe(3 * 256);
});
