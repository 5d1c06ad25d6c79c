/** The chat log's tables and functions: a step of a room is one function, so that it costs one statement. */
import { readFileSync } from 'node:fs';
import type { SchemaHistory } from '@parley/kit';
import { sql } from 'kysely';

/** Runs a file's statements, divided by lines of `---`: PGlite takes one at a time. */
const running = (name: string): SchemaHistory['migrations'][string] => {
  const statements = readFileSync(new URL(`./${name}.sql`, import.meta.url), 'utf8').split(/^---$/m);
  return {
    async up(db) {
      for (const statement of statements) await sql.raw(statement).execute(db);
    },
  };
};

export const chatSchema: SchemaHistory = {
  schema: 'chat',
  migrations: { '0001_log': running('schema'), '0002_seen_by_notices': running('seen-by-notices') },
};
