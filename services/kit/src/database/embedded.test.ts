import { existsSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { openEmbedded } from './embedded.ts';

test('what a start that was cut short has left is no database; what one has kept is there again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'parley-embedded-'));
  using _folder = { [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }) };
  const directory = join(folder, 'database');
  mkdirSync(`${directory}.new`);
  writeFileSync(join(`${directory}.new`, 'PG_VERSION'), '18');

  const first = await openEmbedded(directory);
  await first.exec('create table kept as select 9007199254740993::bigint as id');
  await first.close();
  expect(existsSync(`${directory}.new`)).toBe(false);
  for (const path of [directory, join(directory, 'base'), join(directory, 'PG_VERSION')])
    expect(statSync(path).mode & 0o077, path).toBe(0);

  const again = await openEmbedded(directory);
  expect((await again.query('select id from kept')).rows).toEqual([{ id: '9007199254740993' }]);
  await again.close();
});
