/** Creates accounts, many in one statement, and says what is taken. */
import { AppError, type FieldViolation } from '@parley/kit';
import { type Kysely, sql } from 'kysely';
import type { Account } from './account.ts';
import type { Tables } from './schema.ts';
import type { Profile } from './validation.ts';

export interface NewAccount {
  username: string;
  email: string | null;
  full_name: string;
  password_hash: string | null;
  role: 'member' | 'admin';
}

interface Holder {
  username: string;
  email: string | null;
}

/** How often an account is tried again whose name was given back in between. */
const attempts = 3;

export class AccountWriter {
  readonly #db: Kysely<Tables>;
  readonly #nameReleaseMs: number;

  constructor(db: Kysely<Tables>, nameReleaseMs: number) {
    this.#db = db;
    this.#nameReleaseMs = nameReleaseMs;
  }

  /** Creates those that can be; the answer of each other one is its ALREADY_EXISTS. The first of two equal ones wins. */
  async create(accounts: NewAccount[], attempt = 1): Promise<(Account | AppError)[]> {
    const created = await this.#insert(withoutRepeats(accounts));
    const answers = accounts.map((account) => created.get(account));
    const refused = accounts.filter((account) => !created.has(account));
    if (refused.length === 0) return answers as Account[];
    const freed = new Set(await this.release(refused.map(({ username }) => username.toLowerCase())));
    const holders = await this.#holders(refused);
    const again: number[] = [];
    accounts.forEach((account, i) => {
      if (answers[i] !== undefined) return;
      const problem = freed.has(account.username.toLowerCase()) ? undefined : taken(account, holders);
      if (problem === undefined && attempt < attempts) again.push(i);
      else answers[i] = (problem ?? beingChanged(account)) as never;
    });
    if (again.length > 0) {
      const later = await this.create(
        again.map((i) => accounts[i]!),
        attempt + 1,
      );
      again.forEach((i, n) => {
        answers[i] = later[n] as never;
      });
    }
    return answers as (Account | AppError)[];
  }

  /** Forgets deleted users whose names have been kept long enough: of these names, or all. @returns the names, in lower case. */
  async release(names?: string[]): Promise<string[]> {
    const before = new Date(Date.now() - this.#nameReleaseMs);
    const which = names === undefined ? sql`` : sql`and lower(username) = any(${names}::text[])`;
    const { rows } = await sql<{ name: string }>`delete from users.account
      where deleted_at <= ${before} ${which} returning lower(username) as name`.execute(this.#db);
    return rows.map(({ name }) => name);
  }

  async #insert(accounts: NewAccount[]): Promise<Map<NewAccount, Account>> {
    const now = new Date();
    // One JSON parameter: drivers spend more on five arrays.
    const { rows } = await sql<{ id: string; username: string }>`
      insert into users.account (username, email, full_name, password_hash, role, created_at, updated_at)
      select username, email, full_name, password_hash, role, ${now}, ${now}
      from json_to_recordset(${JSON.stringify(accounts)}::json)
        as t (username text, email text, full_name text, password_hash text, role text)
      on conflict do nothing returning id, username`.execute(this.#db);
    const ids = new Map(rows.map(({ id, username }) => [username, id]));
    const created = new Map<NewAccount, Account>();
    for (const account of accounts) {
      const id = ids.get(account.username);
      if (id === undefined) continue;
      const { username, email, full_name, role } = account;
      const registered = account.password_hash !== null;
      created.set(account, { id, username, email, full_name, role, registered, created_at: now, updated_at: now });
    }
    return created;
  }

  async #holders(accounts: NewAccount[]): Promise<Holder[]> {
    const names = accounts.map(({ username }) => username.toLowerCase());
    const emails = accounts.flatMap(({ email }) => (email === null ? [] : [email.toLowerCase()]));
    const { rows } = await sql<Holder>`
      select lower(username) as username, null as email from users.account where lower(username) = any(${names}::text[])
      union all
      select null, lower(email) from users.account where lower(email) = any(${emails}::text[])`.execute(this.#db);
    return rows;
  }
}

/** Each name and address once: which of two in one statement would win is the statement's secret. */
function withoutRepeats(accounts: NewAccount[]): NewAccount[] {
  const seen = new Set<string>();
  return accounts.filter(({ username, email }) => {
    const keys = [username.toLowerCase(), ...(email === null ? [] : [`@${email.toLowerCase()}`])];
    if (keys.some((key) => seen.has(key))) return false;
    for (const key of keys) seen.add(key);
    return true;
  });
}

function taken({ username, email }: NewAccount, holders: Holder[]): AppError | undefined {
  return alreadyExists({
    ...(holders.some((holder) => holder.username === username.toLowerCase()) ? { username } : {}),
    ...(email !== null && holders.some((holder) => holder.email === email.toLowerCase()) ? { email } : {}),
  });
}

function alreadyExists(fields: { username?: string; email?: string }): AppError | undefined {
  const violations: FieldViolation[] = Object.entries(fields).map(([field, value]) => ({
    field,
    description: `${JSON.stringify(value)} is taken; choose another`,
  }));
  if (violations.length === 0) return undefined;
  const message = violations.map(({ field, description }) => `${field} ${description}`).join('; ');
  const reason = fields.username === undefined ? 'EMAIL_TAKEN' : 'USERNAME_TAKEN';
  return new AppError('ALREADY_EXISTS', message, { fields: violations, reason });
}

const beingChanged = ({ username }: NewAccount) =>
  new AppError(
    'ALREADY_EXISTS',
    `username ${JSON.stringify(username)} or its e-mail address is being changed: try again`,
    {
      retryAfterMs: 100,
    },
  );

/** What a violated unique index means to the caller; undefined for any other error. */
export function takenByViolation(error: unknown, { username, email }: Partial<Profile>): AppError | undefined {
  const { code, constraint } = error as { code?: string; constraint?: string };
  if (code !== '23505') return undefined;
  if (constraint === 'account_username' && username !== undefined) return alreadyExists({ username });
  if (constraint === 'account_email' && email !== undefined) return alreadyExists({ email });
  return undefined;
}
