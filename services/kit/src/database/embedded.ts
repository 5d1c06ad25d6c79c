/** PGlite, PostgreSQL inside this process: what the embedded default keeps its data in. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { dataDir } from '@electric-sql/pglite-prepopulatedfs';
import pg from 'pg';

const settings: PGliteOptions = { parsers: { [pg.types.builtins.INT8]: String } };

/**
 * Opens the data in this folder, or data in memory without one. Where there is none yet, it begins with a copy of what
 * initdb makes: initdb itself would take some seconds. The copy is a PGlite's a few patches older than ours, which is as
 * good: within a major version PostgreSQL's files stay as they are, and it refuses those of another.
 */
export async function openEmbedded(directory?: string): Promise<PGlite> {
  if (directory === undefined) return PGlite.create({ ...settings, loadDataDir: await dataDir() });
  if (!existsSync(directory)) {
    // Made beside, and moved: a process that ends meanwhile leaves no half of a database.
    const made = `${directory}.new`;
    rmSync(made, { recursive: true, force: true });
    const pglite = await PGlite.create({ dataDir: made, loadDataDir: await dataDir() });
    await pglite.close();
    renameSync(made, directory);
  }
  return PGlite.create({ ...settings, dataDir: directory });
}
