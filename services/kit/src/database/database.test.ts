import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { silentLog } from '../log.ts';
import { startPostgres } from '../testing/postgres.ts';
import { openDataFolder } from './data-folder.ts';
import { Database } from './database.ts';
import { migrate, type SchemaHistory } from './migrations.ts';

const first: SchemaHistory = {
  schema: 'things',
  migrations: {
    '0001_thing': {
      up: async (db) => void (await sql`create table things.thing (id bigint, at timestamptz)`.execute(db)),
    },
  },
};
const second: SchemaHistory = {
  schema: 'things',
  migrations: {
    ...first.migrations,
    '0002_name': { up: async (db) => void (await sql`alter table things.thing add name text`.execute(db)) },
  },
};

async function holds(database: Database) {
  expect(await migrate(database, first)).toEqual(['0001_thing']);
  expect(await migrate(database, first)).toEqual([]);
  await sql`insert into things.thing values (9007199254740993, '2026-01-02T03:04:05Z')`.execute(database.as());
  const { rows } = await sql`select * from things.thing`.execute(database.as());
  expect(rows).toEqual([{ id: '9007199254740993', at: new Date('2026-01-02T03:04:05Z') }]);
  expect(await migrate(database, second)).toEqual(['0002_name']);
  await expect(migrate(database, first)).rejects.toThrow(
    /newer than this version of Parley, which does not know 0002_name/,
  );
}

test('migrations run once, and a newer schema is refused: PGlite', async () => {
  await using database = await Database.open({ log: silentLog });
  await holds(database);
});

test('migrations run once, and a newer schema is refused: PostgreSQL; one that dies is UNAVAILABLE, and well again when it is back', async () => {
  await using postgres = await startPostgres();
  await using database = await Database.open({ url: postgres.url, log: silentLog });
  await Promise.all([database.check(), database.check()]);
  await holds(database);
  await postgres.kill();
  await expect(database.check()).rejects.toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 1000 } });
  await postgres.start();
  await expect
    .poll(() =>
      database.check().then(
        () => 'well',
        () => 'not yet',
      ),
    )
    .toBe('well');
});

test('of two transactions that wait for each other one goes on, and the other is ABORTED', async () => {
  await using postgres = await startPostgres({ settings: { deadlock_timeout: '10ms' } });
  await using database = await Database.open({ url: postgres.url, log: silentLog });
  const bothHaveOne = Promise.withResolvers<void>();
  let holders = 0;
  const take = (first: number, second: number) =>
    database
      .as()
      .transaction()
      .execute(async (db) => {
        await sql`select pg_advisory_xact_lock(${first}::int)`.execute(db);
        if (++holders === 2) bothHaveOne.resolve();
        await bothHaveOne.promise;
        await sql`select pg_advisory_xact_lock(${second}::int)`.execute(db);
      });
  const ends = await Promise.allSettled([take(1, 2), take(2, 1)]);
  const failed = ends.filter((end) => end.status === 'rejected');
  expect(failed).toMatchObject([{ reason: { code: 'ABORTED', details: { retryAfterMs: 100 } } }]);
});

test('several that start together migrate once', async () => {
  await using postgres = await startPostgres();
  const databases = await Promise.all(
    Array.from({ length: 5 }, () => Database.open({ url: postgres.url, log: silentLog })),
  );
  const done = await Promise.all(databases.map((database) => migrate(database, second)));
  expect(done.flat().sort()).toEqual(['0001_thing', '0002_name']);
  await Promise.all(databases.map((database) => database[Symbol.asyncDispose]()));
});

test('a data folder has one owner, until he is gone or dead', () => {
  const directory = mkdtempSync(join(tmpdir(), 'parley-folder-'));
  const folder = openDataFolder(directory);
  const program = `import { openDataFolder } from ${JSON.stringify(new URL('data-folder.ts', import.meta.url).pathname)}; openDataFolder(${JSON.stringify(directory)});`;
  const other = () => spawnSync(process.execPath, ['--input-type=module', '-e', program], { encoding: 'utf8' });
  expect(other().stderr).toContain(`in use by process ${process.pid}`);
  folder[Symbol.dispose]();
  expect(other().status).toBe(0); // And ends without letting go, as one that is killed.
  expect(other().status).toBe(0);
  writeFileSync(join(directory, 'lock'), 'nonsense');
  expect(other().status).toBe(0);
  rmSync(directory, { recursive: true });
});
