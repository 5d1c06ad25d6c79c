import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { CHAT_ROOM_REASONS, SERVICE_WEIGHT_REASONS } from './index.ts';

type Reasons = Record<string, Record<string, Record<string, string>>>;

/** The reasons in a table of the README, `condition status reason`; a cell that is empty is as the one above. */
async function documented(heading: string): Promise<string[]> {
  const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
  const section = readme.split(/^## /m).find((text) => text.startsWith(`${heading}\n`))!;
  let condition = '';
  return section
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .slice(2)
    .flatMap((line) => {
      const [name, status, reasons] = line
        .split('|')
        .slice(1, -1)
        .map((cell) => cell.trim());
      condition = name || condition;
      return reasons!
        .replace(/:.*/, '')
        .split(', ')
        .map((reason) => `${condition} ${status} ${reason}`);
    });
}

test.each<[string, Reasons]>([
  ['ChatRoom', CHAT_ROOM_REASONS],
  ['ServiceWeight', SERVICE_WEIGHT_REASONS],
])('the README lists every reason that a condition of a %s can have, and no other', async (kind, reasons) => {
  const known = Object.entries(reasons).flatMap(([condition, statuses]) =>
    Object.entries(statuses).flatMap(([status, words]) =>
      Object.keys(words).map((reason) => `${condition} ${status} ${reason}`),
    ),
  );
  expect((await documented(kind)).sort()).toEqual(known.sort());
});
