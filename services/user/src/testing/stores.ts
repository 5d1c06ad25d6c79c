/** Both databases that the service runs on, for suites that hold on each. */
import { Database, migrate, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { userSchema } from '../schema.ts';

export interface Store extends AsyncDisposable {
  database: Database;
  /** Absent: PGlite in memory. */
  url?: string;
}

export const stores: { name: string; open(): Promise<Store> }[] = [
  {
    name: 'PGlite',
    async open() {
      const database = await Database.open({ log: silentLog });
      await migrate(database, userSchema);
      return { database, [Symbol.asyncDispose]: () => database[Symbol.asyncDispose]() };
    },
  },
  {
    name: 'PostgreSQL',
    async open() {
      const postgres = await startPostgres();
      const database = await Database.open({ url: postgres.url, log: silentLog });
      await migrate(database, userSchema);
      return {
        database,
        url: postgres.url,
        async [Symbol.asyncDispose]() {
          await database[Symbol.asyncDispose]();
          await postgres[Symbol.asyncDispose]();
        },
      };
    },
  },
];
