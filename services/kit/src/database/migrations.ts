import { sql } from 'kysely';
import { type Migration, Migrator } from 'kysely/migration';
import { StartError } from '../settings.ts';
import type { Database } from './database.ts';

/** A service's schema and how it came about, by names that sort in order: `0001_rooms`. Forward only. */
export interface SchemaHistory {
  schema: string;
  migrations: Record<string, Pick<Migration, 'up'>>;
}

/**
 * Brings a service's schema up to date, in one transaction, under PostgreSQL's advisory lock: of several pods that start
 * together one migrates and the others wait.
 * @throws StartError where the database has migrations that this version does not know; nothing is written then.
 */
export async function migrate(database: Database, history: SchemaHistory): Promise<string[]> {
  await refuseNewer(database, [history]);
  const { schema, migrations } = history;
  const migrator = new Migrator({
    db: database.as(),
    provider: { getMigrations: async () => migrations },
    migrationTableSchema: schema,
    migrationTableName: 'migration',
    migrationLockTableName: 'migration_lock',
  });
  const { error, results } = await migrator.migrateToLatest();
  if (error) throw error;
  return (results ?? []).map(({ migrationName }) => migrationName);
}

/**
 * To be called for all schemas before the first of them is migrated.
 * @throws StartError that names the migrations of these schemas which this version does not know.
 */
export async function refuseNewer(database: Database, histories: SchemaHistory[]): Promise<void> {
  const unknown: string[] = [];
  for (const { schema, migrations } of histories) {
    const newer = (await migrationsOf(database, schema)).filter((name) => !Object.hasOwn(migrations, name));
    if (newer.length > 0) unknown.push(`${newer.join(', ')} of its schema "${schema}"`);
  }
  if (unknown.length === 0) return;
  throw new StartError(
    `the database is newer than this version of Parley, which does not know ${unknown.join(', nor ')}: ` +
      'run the version that made it, or a later one',
  );
}

async function migrationsOf(database: Database, schema: string): Promise<string[]> {
  const table = `${schema}.migration`;
  const { rows: found } = await sql<{ there: string | null }>`select to_regclass(${table})::text as there`.execute(
    database.as(),
  );
  if (!found[0]?.there) return [];
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(
    database.as(),
  );
  return rows.map(({ name }) => name);
}
