/** `parley migrate`: all schemas, under an advisory lock; for an init container or by hand. */
import { createLog, Readiness, readSettings, StartError } from '@parley/kit';
import { serviceKinds } from './services.ts';
import { serveSettings } from './settings.ts';
import { stopSignal } from './signals.ts';
import { openStore } from './store.ts';

/** @throws StartError where a schema is newer than this version, or DATABASE_URL is not set. */
export async function migrateAll(env: NodeJS.ProcessEnv): Promise<void> {
  const settings = readSettings(serveSettings, env);
  if (settings.databaseUrl === undefined)
    throw new StartError('DATABASE_URL is not set: `parley migrate` is for PostgreSQL');
  const log = createLog('migrate', settings.logLevel);
  // All of them whatever REDIS_URL says: an empty schema costs nothing, and the setting may change.
  const { redisUrl: _, ...rest } = settings;
  await using _store = await openStore({ ...rest, redisUrl: undefined, keys: settings.keys ?? '' }, [...serviceKinds], {
    log,
    readiness: new Readiness(),
    stop: stopSignal(),
  });
  log.info('database.up_to_date');
  log.flush();
}
