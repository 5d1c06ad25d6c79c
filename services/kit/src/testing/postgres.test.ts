import pg from 'pg';
import { expect, test } from 'vitest';
import { startPostgres } from './postgres.ts';

async function query(url: string, text: string): Promise<unknown[]> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows;
  } finally {
    await client.end();
  }
}

test('a server answers, loses nothing when it is killed, and its databases are apart', async () => {
  await using postgres = await startPostgres();
  await query(postgres.url, 'create table kept as select 7 as value');
  const other = await postgres.createDatabase('other');
  await expect(query(other, 'select value from kept')).rejects.toThrow(/does not exist/);
  const { pid } = postgres;
  await postgres.kill();
  expect(postgres.pid).toBeUndefined();
  await expect(query(postgres.url, 'select 1')).rejects.toThrow(/ECONNREFUSED/);
  await postgres.start();
  expect(postgres.pid).not.toBe(pid);
  expect(await query(postgres.url, 'select value from kept')).toEqual([{ value: 7 }]);
});
