import { Database, migrate, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { sql } from 'kysely';
import { describeChatLog, type Store } from '../suite.ts';
import { chatSchema, DatabaseLog } from './index.ts';

async function store(open: () => Promise<Database>, close: () => PromiseLike<void>): Promise<Store> {
  const database = await open();
  await migrate(database, chatSchema);
  const db = database.as<unknown>();
  return {
    // A pod of its own has its own connections; PGlite has one session for all.
    async pod() {
      return new DatabaseLog(database);
    },
    async loseTail(roomId, head) {
      await sql`delete from chat.message where room_id = ${roomId} and sequence > ${head}`.execute(db);
      await sql`update chat.room set head = ${head}, texts = (select coalesce(max(nth), 0) from chat.message m
        where m.room_id = room.room_id and is_text) where room_id = ${roomId}`.execute(db);
    },
    async endLeases() {
      await sql`update chat.lease set ends_ms = 0`.execute(db);
    },
    async contents(roomId) {
      const { rows } = await sql<{ body: Uint8Array }>`select body from chat.message where room_id = ${roomId}`.execute(
        db,
      );
      return Buffer.concat(rows.map(({ body }) => body));
    },
    async [Symbol.asyncDispose]() {
      await database[Symbol.asyncDispose]();
      await close();
    },
  };
}

describeChatLog('the chat log in PGlite', () =>
  store(
    () => Database.open({ log: silentLog }),
    async () => {},
  ),
);

describeChatLog('the chat log in PostgreSQL', async () => {
  const server = await startPostgres();
  return store(
    () => Database.open({ url: server.url, log: silentLog }),
    () => server[Symbol.asyncDispose](),
  );
});
