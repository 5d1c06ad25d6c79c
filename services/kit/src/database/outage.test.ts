import { connect, createServer, type Socket } from 'node:net';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { silentLog } from '../log.ts';
import { startPostgres } from '../testing/postgres.ts';
import { Database } from './database.ts';

/** A way to the server that can be cut as a network is: nothing comes through, and nobody is told. */
async function cuttable(target: number) {
  let cut = false;
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('data', (bytes) => !cut && to.write(bytes));
      from.on('error', () => undefined);
      from.on('close', () => !cut && to.destroy());
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    port: (server.address() as { port: number }).port,
    cut: (now: boolean) => {
      cut = now;
    },
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}

test('a network that is cut is noticed, and all is well again when it is back', async () => {
  await using postgres = await startPostgres();
  using network = await cuttable(postgres.port);
  const url = postgres.url.replace(`:${postgres.port}/`, `:${network.port}/`);
  await using database = await Database.open({ url, patienceMs: 300, log: silentLog });
  const ask = () => sql`select 1`.execute(database.as());
  await Promise.all(Array.from({ length: 10 }, ask));
  network.cut(true);
  const answers = await Promise.allSettled(Array.from({ length: 10 }, ask));
  for (const answer of answers)
    expect(answer).toMatchObject({
      status: 'rejected',
      reason: { code: 'UNAVAILABLE', details: { retryAfterMs: 1000 } },
    });
  network.cut(false);
  // What was sent into the cut is lost: only connections made after it work.
  await Promise.all(Array.from({ length: 10 }, ask));
  await expect(sql`select pg_sleep(5)`.execute(database.as())).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});

test('a server that dies is UNAVAILABLE until it is back', async () => {
  await using postgres = await startPostgres();
  await using database = await Database.open({ url: postgres.url, log: silentLog });
  await database.check();
  const asleep = sql`select pg_sleep(30)`.execute(database.as());
  const [, slept] = await Promise.allSettled([postgres.kill(), asleep]);
  expect(slept).toMatchObject({ reason: { code: 'UNAVAILABLE' } });
  await expect(database.check()).rejects.toMatchObject({ code: 'UNAVAILABLE' });
  await postgres.start();
  await database.check();
});
