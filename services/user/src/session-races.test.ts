/** Sessions that are refreshed and ended at once on PostgreSQL, where neither may wait for the other for ever. */
import { KeyRing, silentLog, TokenVerifier } from '@parley/kit';
import { type RawBuilder, sql } from 'kysely';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { Accounts } from './accounts.ts';
import { Revocations } from './revocations.ts';
import { type Session, Sessions } from './sessions.ts';
import { type Store, stores } from './testing/stores.ts';
import { keyFolder } from './testing/user-server.ts';

const keys = new KeyRing(keyFolder);
const verifier = new TokenVerifier(keys);
let store: Store;
let accounts: Accounts;
let revocations: Revocations;
let sessions: Sessions;

beforeAll(async () => {
  store = await stores[1]!.open();
  const { database } = store;
  accounts = new Accounts(database, { nameReleaseMs: 0 });
  revocations = await Revocations.open({ database, verifier, log: silentLog });
  sessions = new Sessions({ database, keys, revocations, sessionMs: 60_000 });
});
afterEach(() => void vi.useRealTimers());
afterAll(async () => {
  await revocations?.[Symbol.asyncDispose]();
  await store?.[Symbol.asyncDispose]();
});

let count = 0;
const signIn = async () =>
  sessions.begin(
    await accounts.create({ username: `u${++count}`, email: null, full_name: '', password_hash: 'x', role: 'member' }),
  );

/** Calls the first, and the second when the first waits for the row that is locked; lets go when both wait. */
async function behind(
  row: RawBuilder<unknown>,
  calls: (() => Promise<unknown>)[],
  letGo: () => void = () => undefined,
): Promise<unknown[]> {
  const db = store.database.as();
  const called: Promise<unknown>[] = [];
  await db.transaction().execute(async (holder) => {
    await sql`select ${row} for update`.execute(holder);
    for (const call of calls) {
      called.push(call().catch((error: unknown) => error));
      await expect
        .poll(
          async () => (await sql`select from pg_stat_activity where wait_event_type = 'Lock'`.execute(db)).rows.length,
        )
        .toBe(called.length);
    }
    letGo();
  });
  return Promise.all(called);
}

const idOf = ({ user }: Session) => String(user.id);
const familyOf = (session: Session) => sql`from users.session where user_id = ${idOf(session)}`;
const tokenOf = (session: Session) => sql`from users.refresh_token where session_id = (select id ${familyOf(session)})`;

describe.each<[string, (session: Session) => Promise<unknown>]>([
  ['sign-out', ({ refresh_token }) => sessions.end(refresh_token)],
  ['sign-out everywhere', (session) => sessions.endAll(idOf(session))],
  [
    'deletion',
    async (session) => {
      const { revoked } = await accounts.delete(idOf(session));
      revocations.tell(idOf(session), revoked!);
    },
  ],
])('a %s', (name, end) => {
  test('that comes before a refresh is done, and the refresh refused', async () => {
    const session = await signIn();
    const [ended, refreshed] = await behind(familyOf(session), [
      () => end(session),
      () => sessions.refresh(session.refresh_token),
    ]);
    expect(ended).toBeUndefined();
    expect(refreshed).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('that comes after a refresh ends what was issued, however long that took', async () => {
    const session = await signIn();
    const later = () => vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 5000 });
    const [refreshed, ended] = await behind(
      tokenOf(session),
      [() => sessions.refresh(session.refresh_token), () => end(session)],
      later,
    );
    expect(ended).toBeUndefined();
    // It may have been refused at the last moment.
    if (refreshed instanceof Error) return expect(refreshed).toMatchObject({ code: 'UNAUTHENTICATED' });
    const { access_token, refresh_token } = refreshed as Session;
    await expect(sessions.refresh(refresh_token)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' });
    if (name !== 'sign-out') expect(() => verifier.verify(access_token)).toThrow('is not valid');
  });
});

test('a token that comes twice beside its successor ends the family, and neither call fails otherwise', async () => {
  const session = await signIn();
  const { refresh_token: successor } = await sessions.refresh(session.refresh_token);
  const answers = await behind(familyOf(session), [
    () => sessions.refresh(session.refresh_token),
    () => sessions.refresh(successor),
  ]);
  expect(answers[0]).toMatchObject({ code: 'UNAUTHENTICATED' });
  if (answers[1] instanceof Error) expect(answers[1]).toMatchObject({ code: 'UNAUTHENTICATED' });
  const { rows } = await sql`select ${familyOf(session)}`.execute(store.database.as());
  expect(rows).toEqual([]);
});
