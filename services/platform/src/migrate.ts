/** `parley migrate`: all schemas, under an advisory lock; for an init container or by hand. */
import { createLog, Readiness, readSettings, StartError } from '@parley/kit';
import { serviceKinds } from './services.ts';
import { serveSettings } from './settings.ts';
import { stopSignal } from './signals.ts';
import { openStore, Unreachable } from './store.ts';

/**
 * @param patienceSeconds how long a database has to answer; then, or where DATABASE_URL is not set, the schemas are left to
 *   the services. Absent: for as long as it takes.
 * @throws StartError where a schema is newer than this version, or DATABASE_URL is not set.
 */
export async function migrateAll(env: NodeJS.ProcessEnv, patienceSeconds?: number): Promise<void> {
  const settings = readSettings(serveSettings, env);
  const log = createLog('migrate', settings.logLevel);
  const leave = (problem: string): void => {
    log.warn({ problem }, 'database.left_to_the_services');
    log.flush();
  };
  if (settings.databaseUrl === undefined) {
    if (patienceSeconds !== undefined) return leave('DATABASE_URL is not set');
    throw new StartError('DATABASE_URL is not set: `parley migrate` is for PostgreSQL');
  }
  // All of them whatever REDIS_URL says: an empty schema costs nothing, and the setting may change.
  const { redisUrl: _, ...rest } = settings;
  const stop = stopSignal();
  const patience = patienceSeconds === undefined ? undefined : AbortSignal.timeout(patienceSeconds * 1000);
  try {
    await using _store = await openStore(
      { ...rest, redisUrl: undefined, keys: settings.keys ?? '' },
      [...serviceKinds],
      {
        log,
        readiness: new Readiness(),
        stop: patience ? AbortSignal.any([stop, patience]) : stop,
      },
    );
  } catch (error) {
    if (!(error instanceof Unreachable) || stop.aborted || patience === undefined) throw error;
    return leave(error.message);
  }
  log.info('database.up_to_date');
  log.flush();
}
