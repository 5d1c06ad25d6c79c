/** Sign-ins: families of refresh tokens that work once each. A token that comes twice ends its family. */
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { AppError, accessTokenSeconds, type Database, type KeyRing, signToken } from '@parley/kit';
import { type Kysely, sql } from 'kysely';
import { type Account, shownUser } from './account.ts';
import { accountColumns } from './accounts.ts';
import { type Revocations, revokeNow } from './revocations.ts';
import type { Tables } from './schema.ts';

export interface Session {
  user: ReturnType<typeof shownUser>;
  access_token: string;
  refresh_token: string;
  expires_in: number;
}

export interface SessionsSettings {
  database: Database;
  keys: KeyRing;
  revocations: Revocations;
  sessionMs: number;
}

/** An account with its new sign-in, and the time before which its tokens are revoked, if they are. */
type SignInAccount = Account & { session_id: string; revoked_before: Date | null };

export class Sessions {
  readonly #db: Kysely<Tables>;
  readonly #keys: KeyRing;
  readonly #revocations: Revocations;
  readonly #sessionMs: number;

  constructor({ database, keys, revocations, sessionMs }: SessionsSettings) {
    this.#db = database.as<Tables>();
    this.#keys = keys;
    this.#revocations = revocations;
    this.#sessionMs = sessionMs;
  }

  /** The account of this name and its password's hash, for a sign-in. */
  async find(username: string): Promise<{ account: Account; passwordHash: string | null } | undefined> {
    const { rows } = await sql<Account & { password_hash: string | null }>`
      select ${accountColumns}, password_hash from users.account
      where lower(username) = ${username.toLowerCase()} and deleted_at is null`.execute(this.#db);
    const row = rows[0];
    if (row === undefined) return undefined;
    const { password_hash: passwordHash, ...account } = row;
    return { account, passwordHash };
  }

  /** Replaces a password's hash by one of today's cost, unless it has changed meanwhile. */
  async rehash(id: string, from: string, to: string): Promise<void> {
    await sql`update users.account set password_hash = ${to} where id = ${id} and password_hash = ${from}`.execute(
      this.#db,
    );
  }

  /** Begins a family. */
  async begin(account: Account): Promise<Session> {
    const { token, hash } = newToken();
    const now = new Date();
    // The account is read again in the same statement: it may have been deleted while its password was checked.
    const { rows } = await sql<SignInAccount>`
      with owner as (
        select id from users.account where id = ${account.id} and deleted_at is null for key share
      ), session as (
        insert into users.session (id, user_id, created_at) select ${randomUUID()}::uuid, id, ${now} from owner
        returning id, user_id
      ), token as (
        insert into users.refresh_token (hash, session_id, expires_at) select ${hash}, id, ${this.#expiry(now)} from session
      )
      select account.*, session.id as session_id, revocation.issued_before as revoked_before
      from session
      join (select ${accountColumns} from users.account) account on account.id = session.user_id
      left join users.revocation on revocation.user_id = session.user_id`.execute(this.#db);
    const found = rows[0];
    if (found === undefined) throw badRefreshToken();
    return this.#answer(found, token, now);
  }

  /** Trades a refresh token for the next one. @throws AppError UNAUTHENTICATED with one constant message. */
  async refresh(old: string): Promise<Session> {
    const { token, hash } = newToken();
    const now = new Date();
    // One statement: of two that come with one token, the row's lock lets one pass, and the other finds it used. It locks
    // the account, the family, then the token, in the order in which deleting them does.
    const { rows } = await sql<SignInAccount>`
      with owner as (
        select ${accountColumns} from users.account where deleted_at is null and id = (
          select user_id from users.session join users.refresh_token on session_id = session.id
          where hash = ${hashOf(old)}
        ) for key share
      ), family as (
        select session.id from users.session join owner on owner.id = session.user_id
        where session.id = (select session_id from users.refresh_token where hash = ${hashOf(old)})
        for key share of session
      ), used as (
        update users.refresh_token set used_at = ${now} from family
        where session_id = family.id and hash = ${hashOf(old)} and used_at is null and expires_at > ${now}
        returning session_id
      ), token as (
        insert into users.refresh_token (hash, session_id, expires_at) select ${hash}, session_id, ${this.#expiry(now)} from used
      )
      select owner.*, used.session_id, revocation.issued_before as revoked_before
      from used cross join owner
      left join users.revocation on revocation.user_id = owner.id`.execute(this.#db);
    const account = rows[0];
    if (account !== undefined) return this.#answer(account, token, now);
    await this.#endReused(old);
    throw badRefreshToken();
  }

  /** Ends the family that this token belongs to; one that is unknown has ended. */
  async end(refreshToken: string): Promise<void> {
    await sql`delete from users.session where id =
      (select session_id from users.refresh_token where hash = ${hashOf(refreshToken)})`.execute(this.#db);
  }

  /** Ends all of a user's families, and his access tokens. */
  async endAll(userId: string): Promise<void> {
    const now = await this.#db.transaction().execute(async (db) => {
      await db.deleteFrom('users.session').where('user_id', '=', userId).execute();
      return revokeNow(db, userId);
    });
    this.#revocations.tell(userId, now);
  }

  /** Forgets families that nobody can come back to. */
  async forgetExpired(): Promise<void> {
    const now = new Date();
    await sql`delete from users.session where not exists (
      select from users.refresh_token where session_id = session.id and expires_at > ${now})`.execute(this.#db);
    await sql`delete from users.refresh_token where expires_at <= ${now}`.execute(this.#db);
  }

  /** A token that was used before is in two hands, and nobody knows which is the thief's: both have to sign in again. */
  async #endReused(token: string): Promise<void> {
    const revoked = await this.#db.transaction().execute(async (db) => {
      const { rows } = await sql<{ user_id: string }>`delete from users.session where id =
        (select session_id from users.refresh_token where hash = ${hashOf(token)} and used_at is not null)
        returning user_id`.execute(db);
      const userId = rows[0]?.user_id;
      return userId === undefined ? undefined : { userId, now: await revokeNow(db, userId) };
    });
    if (revoked) this.#revocations.tell(revoked.userId, revoked.now);
  }

  async #answer(found: SignInAccount, refreshToken: string, begun: Date): Promise<Session> {
    const { revoked_before, session_id, ...account } = found;
    await laterThan(revoked_before);
    const { id: userId, username, role } = account;
    const access_token = signToken(this.#keys, { userId, username, role });
    // One of a later second could outlast a revocation of the time in between.
    if (Math.floor(Date.now() / 1000) * 1000 > begun.getTime()) await this.#stillThere(session_id);
    return {
      user: shownUser(account, true),
      access_token,
      refresh_token: refreshToken,
      expires_in: accessTokenSeconds,
    };
  }

  /** Waits for whoever is ending the family. @throws AppError UNAUTHENTICATED where it has ended. */
  async #stillThere(id: string): Promise<void> {
    const { rows } = await sql`select from users.session where id = ${id} for key share`.execute(this.#db);
    if (rows.length === 0) throw badRefreshToken();
  }

  #expiry(now: Date): Date {
    return new Date(now.getTime() + this.#sessionMs);
  }
}

/**
 * A token's `iat` has whole seconds, and one of the second of a revocation counts as older than it: whoever signs in
 * again within that second waits for the next one.
 */
async function laterThan(revokedBefore: Date | null): Promise<void> {
  if (revokedBefore === null) return;
  const waitMs = Math.ceil(revokedBefore.getTime() / 1000) * 1000 - Date.now();
  // More than a second ahead is another process's clock, which no waiting sets right.
  if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, Math.min(waitMs, 1000)));
}

function newToken(): { token: string; hash: Uint8Array } {
  const token = randomBytes(32).toString('base64url');
  return { token, hash: hashOf(token) };
}

const hashOf = (token: string): Buffer => createHash('sha256').update(token).digest();

const badRefreshToken = () =>
  new AppError('UNAUTHENTICATED', 'the refresh token is not valid, has expired or was used before: sign in again');
