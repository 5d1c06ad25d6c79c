/** Who there is: the table of accounts. Creating and reading by id are batched, since that is where the load is. */
import { type AppError, Batch, type BatchSettings, type Database, notFound } from '@parley/kit';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { Account } from './account.ts';
import { AccountWriter, type NewAccount, takenByViolation } from './account-writer.ts';
import { revokeNow } from './revocations.ts';
import type { Tables } from './schema.ts';
import type { Profile } from './validation.ts';

export interface AccountsSettings {
  nameReleaseMs: number;
  observeBatch?: (operation: 'create' | 'get', size: number) => void;
}

/** The columns of an Account; the password's hash stays where it is. */
export const accountColumns = sql.raw(
  'id, username, email, full_name, role, password_hash is not null as registered, created_at, updated_at',
);

const limits: BatchSettings = { largest: 500, parallel: 2, longestQueue: 10_000 };

export class Accounts {
  readonly #db: Kysely<Tables>;
  readonly #writer: AccountWriter;
  readonly #creating: Batch<NewAccount, Account>;
  readonly #reading: Batch<string, Account>;

  constructor(database: Database, { nameReleaseMs, observeBatch }: AccountsSettings) {
    this.#db = database.as<Tables>();
    this.#writer = new AccountWriter(this.#db, nameReleaseMs);
    this.#creating = new Batch((accounts) => this.#writer.create(accounts), {
      ...limits,
      observe: (size) => observeBatch?.('create', size),
    });
    this.#reading = new Batch((ids) => this.#read(ids), { ...limits, observe: (size) => observeBatch?.('get', size) });
  }

  /** @throws AppError ALREADY_EXISTS where the name or the address is taken. */
  create(account: NewAccount): Promise<Account> {
    return this.#creating.call(account);
  }

  /** @throws AppError NOT_FOUND. */
  get(id: string): Promise<Account> {
    return this.#reading.call(id);
  }

  /** One page in the order of their ids, and how many there are in all. */
  async list(limit: number, offset: number): Promise<{ accounts: Account[]; total: number }> {
    const [page, count] = await Promise.all([
      sql<Account>`select ${accountColumns} from users.account where deleted_at is null
        order by id limit ${limit} offset ${offset}`.execute(this.#db),
      sql<{ total: string }>`select count(*) as total from users.account where deleted_at is null`.execute(this.#db),
    ]);
    return { accounts: page.rows, total: Number(count.rows[0]?.total ?? 0) };
  }

  /**
   * Replaces the fields given. A user whose name changes is signed out, since his tokens carry the old one.
   * @returns the account, and when tokens were revoked, if they were.
   * @throws AppError NOT_FOUND, ALREADY_EXISTS.
   */
  async update(id: string, change: Partial<Profile>): Promise<{ account: Account; revoked?: Date }> {
    if (Object.keys(change).length === 0) return { account: await this.get(id) };
    try {
      return await this.#update(id, change);
    } catch (error) {
      const taken = takenByViolation(error, change);
      if (taken === undefined) throw error;
      const freed = change.username !== undefined && (await this.#writer.release([change.username.toLowerCase()]));
      if (!freed || freed.length === 0) throw taken;
      return await this.#update(id, change).catch((again) => {
        throw takenByViolation(again, change) ?? again;
      });
    }
  }

  /** Keeps nothing but the name, for as long as it is not free, and signs the user out. @throws AppError NOT_FOUND. */
  delete(id: string): Promise<{ revoked?: Date }> {
    return this.#db.transaction().execute(async (db) => {
      const { registered } = await lock(db, id);
      const now = new Date();
      await db
        .updateTable('users.account')
        .set({ email: null, full_name: '', password_hash: null, role: 'member', updated_at: now, deleted_at: now })
        .where('id', '=', id)
        .execute();
      if (!registered) return {};
      await db.deleteFrom('users.session').where('user_id', '=', id).execute();
      return { revoked: await revokeNow(db, id) };
    });
  }

  /** Who has these names, in whatever case, or ids. */
  async lookUp(usernames: string[], ids: string[]): Promise<Account[]> {
    const names = usernames.map((name) => name.toLowerCase());
    const { rows } = await sql<Account>`select ${accountColumns} from users.account
      where (lower(username) = any(${names}::text[]) or id = any(${ids}::bigint[])) and deleted_at is null
      order by id`.execute(this.#db);
    return rows;
  }

  /** Frees names whose time has come. */
  async releaseNames(): Promise<void> {
    await this.#writer.release();
  }

  async #read(ids: string[]): Promise<(Account | AppError)[]> {
    const { rows } = await sql<Account>`select ${accountColumns} from users.account
      where id = any(${ids}::bigint[]) and deleted_at is null`.execute(this.#db);
    const byId = new Map(rows.map((account) => [account.id, account]));
    return ids.map((id) => byId.get(id) ?? noUser(id));
  }

  #update(id: string, change: Partial<Profile>): Promise<{ account: Account; revoked?: Date }> {
    return this.#db.transaction().execute(async (db) => {
      const before = await lock(db, id);
      const now = new Date();
      await db
        .updateTable('users.account')
        .set({ ...change, updated_at: now })
        .where('id', '=', id)
        .execute();
      const account: Account = { ...before, ...change, updated_at: now };
      if (!account.registered || account.username === before.username) return { account };
      return { account, revoked: await revokeNow(db, id) };
    });
  }
}

async function lock(db: Transaction<Tables>, id: string): Promise<Account> {
  const { rows } = await sql<Account>`select ${accountColumns} from users.account
    where id = ${id} and deleted_at is null for update`.execute(db);
  const account = rows[0];
  if (account === undefined) throw noUser(id);
  return account;
}

export const noUser = (id: string): AppError => notFound(`user ${id}`);
