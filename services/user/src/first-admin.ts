import { AppError, type Database, type Logger } from '@parley/kit';
import { type Kysely, sql } from 'kysely';
import type { Accounts } from './accounts.ts';
import type { Passwords } from './passwords.ts';
import type { Tables } from './schema.ts';
import type { FirstAdmin } from './settings.ts';

/**
 * Makes the first admin, where there is none. A name that somebody has already is not made an admin, since whoever has
 * it may not be who is meant: that is logged as an error, and the service runs without an admin.
 */
export async function makeFirstAdmin(
  { username, password }: FirstAdmin,
  { database, accounts, passwords, log }: { database: Database; accounts: Accounts; passwords: Passwords; log: Logger },
): Promise<void> {
  const db = database.as<Tables>();
  if (await hasAdmin(db)) return;
  const password_hash = await passwords.hash(password, { address: '', signal: new AbortController().signal });
  try {
    const { id } = await accounts.create({ username, email: null, full_name: '', password_hash, role: 'admin' });
    log.info({ userId: id, username }, 'admin.made');
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'ALREADY_EXISTS') throw error;
    if (await hasAdmin(db)) return; // Another process was faster.
    const hint = 'PARLEY_ADMIN_USERNAME is the name of a user who is no admin: set another';
    log.error({ username, hint }, 'admin.name_taken');
  }
}

async function hasAdmin(db: Kysely<Tables>): Promise<boolean> {
  const { rows } = await sql`select from users.account where role = 'admin' and deleted_at is null limit 1`.execute(db);
  return rows.length > 0;
}
