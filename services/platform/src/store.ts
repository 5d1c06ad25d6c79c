/** Where things are kept: PostgreSQL where DATABASE_URL says so, PGlite in the data folder else. */

import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  AppError,
  Database,
  type Logger,
  migrate,
  openDataFolder,
  type Readiness,
  refuseNewer,
  type SettingsOf,
  StartError,
} from '@parley/kit';
import { schemasOf } from './schemas.ts';
import type { ServiceKind } from './services.ts';
import type { serveSettings } from './settings.ts';

export interface Store extends AsyncDisposable {
  /** Absent where no service of this process keeps anything in a database. */
  database: Database | undefined;
}

/** No database answered for as long as it was waited for. */
export class Unreachable extends StartError {}

interface StoreParts {
  log: Logger;
  readiness: Readiness;
  stop: AbortSignal;
}

/** Opens the database that these services need, waits until it answers, and brings their schemas up to date. */
export async function openStore(
  settings: SettingsOf<typeof serveSettings>,
  kinds: ServiceKind[],
  parts: StoreParts,
): Promise<Store> {
  const stack = new AsyncDisposableStack();
  const schemas = await schemasOf(kinds, settings.redisUrl !== undefined);
  const store = { database: undefined as Database | undefined, [Symbol.asyncDispose]: () => stack.disposeAsync() };
  const together = kinds.length > 1;
  if (schemas.length === 0 && !together) return store;
  try {
    if (together && (settings.databaseUrl === undefined || settings.keys === undefined)) {
      stack.use(openDataFolder(settings.dataDirectory));
    }
    if (settings.databaseUrl === undefined && !together) {
      throw new StartError(`DATABASE_URL is not set: \`parley serve ${kinds[0]}\` keeps its data in PostgreSQL`);
    }
    const directory = settings.databaseUrl === undefined ? join(settings.dataDirectory, 'database') : undefined;
    const { log } = parts;
    const database = stack.use(
      await Database.open({ url: settings.databaseUrl, directory, poolSize: settings.databasePool, log }),
    );
    store.database = database;
    await reachable(database, parts);
    await refuseNewer(database, schemas);
    for (const schema of schemas) {
      const done = await migrate(database, schema);
      if (done.length > 0) log.info({ schema: schema.schema, migrations: done }, 'database.migrated');
    }
    parts.readiness.add({ name: 'database', check: () => database.check() });
    return store;
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

/** Waits for a database that is not there yet, saying in the log and at /readyz what is wrong with it. */
async function reachable(database: Database, { log, readiness, stop }: StoreParts): Promise<void> {
  let problem = 'not reached yet';
  let reached = false;
  readiness.add({
    name: 'DATABASE_URL',
    check: () => {
      if (!reached) throw new Error(problem);
    },
  });
  for (let waitMs = 250; !reached; waitMs = Math.min(waitMs * 2, 5000)) {
    try {
      await database.check();
      reached = true;
    } catch (error) {
      problem = reason(error);
      log.error({ setting: 'DATABASE_URL', problem }, 'database.unreachable');
      if (stop.aborted) throw new Unreachable(`DATABASE_URL: ${problem}`, 1, error);
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }
}

/** The driver's own words: a wrong password, a name that does not resolve. */
function reason(error: unknown): string {
  const cause = error instanceof AppError ? error.details.cause : error;
  if (cause instanceof AggregateError) return cause.errors.map((one: Error) => one.message).join(', ');
  return cause instanceof Error ? cause.message || cause.name : String(cause);
}
