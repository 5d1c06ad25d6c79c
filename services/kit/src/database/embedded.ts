/** PGlite, PostgreSQL inside this process: what the embedded default keeps its data in. */
import { existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { PGlite, type PGliteOptions } from '@electric-sql/pglite';
import { dataDir } from '@electric-sql/pglite-prepopulatedfs';
import pg from 'pg';
import { extract, type Headers } from 'tar-fs';

const settings: PGliteOptions = { parsers: { [pg.types.builtins.INT8]: String } };

// The archive lets everybody read and write.
const forOwnerOnly = (file: Headers) => ({ ...file, mode: (file.mode ?? 0) & 0o700 });

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
    const packed = Readable.from((await dataDir()).stream());
    mkdirSync(made, { mode: 0o700 });
    await pipeline(packed, createGunzip(), extract(made, { map: forOwnerOnly }));
    renameSync(made, directory);
  }
  return PGlite.create({ ...settings, dataDir: directory });
}
