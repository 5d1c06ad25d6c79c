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
export async function migrate(database: Database, { schema, migrations }: SchemaHistory): Promise<string[]> {
  await refuseNewer(database, schema, Object.keys(migrations));
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

async function refuseNewer(database: Database, schema: string, known: string[]): Promise<void> {
  const table = `${schema}.migration`;
  const { rows: found } = await sql<{ there: string | null }>`select to_regclass(${table})::text as there`.execute(
    database.as(),
  );
  if (!found[0]?.there) return;
  const { rows } = await sql<{ name: string }>`select name from ${sql.table(table)} order by name`.execute(
    database.as(),
  );
  const newer = rows.map(({ name }) => name).filter((name) => !known.includes(name));
  if (newer.length > 0) {
    throw new StartError(
      `the database's schema "${schema}" is newer than this version of Parley, which does not know ${newer.join(', ')}: ` +
        'run the version that made it, or a later one',
    );
  }
}
