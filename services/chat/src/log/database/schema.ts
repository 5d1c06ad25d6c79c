/** The chat log's tables and functions: a step of a room is one function, so that it costs one statement. */
import { readFileSync } from 'node:fs';
import type { SchemaHistory } from '@parley/kit';
import { sql } from 'kysely';

/** Statements are divided by lines of `---`: PGlite takes one at a time. */
const statements = readFileSync(new URL('./schema.sql', import.meta.url), 'utf8').split(/^---$/m);

export const chatSchema: SchemaHistory = {
  schema: 'chat',
  migrations: {
    '0001_log': {
      async up(db) {
        for (const statement of statements) await sql.raw(statement).execute(db);
      },
    },
  },
};
