import { mkdtemp, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Tokens } from '../session.ts';
import { FileKeep } from './credentials.ts';

let folder: string;
let file: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'parley-'));
  file = join(folder, 'parley', 'credentials.json');
});
afterEach(() => rm(folder, { recursive: true }));

const tokens = { user: { id: '1', username: 'ann' }, accessToken: 'a', refreshToken: 'r', expiresAt: 1 } as Tokens;

test('tokens are kept by server, in a file that only its owner reads', async () => {
  const [one, two] = [new FileKeep(file, 'http://one'), new FileKeep(file, 'http://two')];
  await one.save(tokens);
  await two.save({ ...tokens, accessToken: 'b' });
  expect((await one.load())?.accessToken).toBe('a');
  expect((await two.load())?.accessToken).toBe('b');
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  expect((await stat(join(folder, 'parley'))).mode & 0o777).toBe(0o700);
  await one.save(undefined);
  expect(await one.load()).toBeUndefined();
  expect(await two.load()).toBeDefined();
});

test('whoever refreshes does so alone, and a dead one’s lock does not last', async () => {
  const keep = new FileKeep(file, 'http://one');
  let inside = 0;
  const alone = async () => {
    expect(++inside).toBe(1);
    await new Promise(setImmediate);
    inside--;
  };
  await Promise.all([keep.exclusive(alone), keep.exclusive(alone), keep.exclusive(alone)]);
  await writeFile(`${file}.lock`, '');
  await utimes(`${file}.lock`, 0, 0);
  await keep.exclusive(alone);
});

test('a file that is not JSON says what to do', async () => {
  const keep = new FileKeep(file, 'http://one');
  await keep.save(tokens);
  await writeFile(file, 'oops');
  await expect(keep.load()).rejects.toThrow(`${file} is not JSON: remove it and log in again`);
  expect(await readFile(file, 'utf8')).toBe('oops');
});
