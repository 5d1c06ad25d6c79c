/** PostgreSQL dies under load: row 5 of what the platform promises, for users. */
import { Database, migrate, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { expect, test } from 'vitest';
import { userSchema } from './schema.ts';
import { failure, serveUsers } from './testing/user-server.ts';

const rejections: unknown[] = [];
process.on('unhandledRejection', (reason) => rejections.push(reason));

test('PostgreSQL killed under load: calls fail with UNAVAILABLE, nothing acknowledged is lost, and all is well again', async () => {
  await using postgres = await startPostgres();
  await using database = await Database.open({ url: postgres.url, log: silentLog });
  await migrate(database, userSchema);
  await using server = await serveUsers({ database });
  const heard: string[] = [];
  const watching = new AbortController();
  const stream = server.auth.watchRevocations({}, { token: server.service, signal: watching.signal });
  const watched = failure(stream.each(({ user_id }) => heard.push(user_id)));

  const acknowledged = new Map<string, string>();
  const codes = new Map<string, number>();
  let stop = false;
  let count = 0;
  const caller = async () => {
    while (!stop) {
      const username = `load-${count++}`;
      try {
        const { user } = await server.users.createUser({ username, email: `${username}@example.com` });
        acknowledged.set(user!.id, username);
      } catch (error) {
        const { code } = error as { code: string };
        codes.set(code, (codes.get(code) ?? 0) + 1);
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    }
  };
  const callers = Array.from({ length: 50 }, caller);
  await expect.poll(() => acknowledged.size, { timeout: 30_000 }).toBeGreaterThan(1000);
  await postgres.kill();
  await expect.poll(() => codes.get('UNAVAILABLE') ?? 0, { timeout: 10_000 }).toBeGreaterThan(200);
  const read = await failure(server.users.getUser({ id: 1 }));
  expect(read).toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 1000 } });
  expect((await failure(server.auth.login({ username: 'a', password: 'b' }))).code).toBe('UNAVAILABLE');
  await expect(database.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });

  await postgres.start();
  const before = acknowledged.size;
  // Well again within 5 s.
  await expect.poll(() => acknowledged.size, { timeout: 5000 }).toBeGreaterThan(before + 50);
  stop = true;
  await Promise.all(callers);

  expect([...codes.keys()]).toEqual(['UNAVAILABLE']);
  const lost: string[] = [];
  await Promise.all(
    [...acknowledged].map(async ([id, username]) => {
      const { user } = await server.users.getUser({ id });
      if (user?.username !== username) lost.push(username);
    }),
  );
  expect(lost).toEqual([]);
  // The watcher was not cut off, and goes on hearing.
  const registered = await server.auth.register({
    username: 'late',
    email: 'late@example.com',
    password: 'longer than 8',
  });
  await server.users.deleteUser({ id: registered.user!.id }, { token: server.admin });
  await expect.poll(() => heard, { timeout: 10_000 }).toContain(registered.user!.id);
  watching.abort();
  await watched;
  expect(rejections).toEqual([]);
});
