/** Sessions in a file that only its owner reads: one a server, shared by every `parley` that runs at the same time. */
import { mkdir, open, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { TokenKeep, Tokens } from '../session.ts';
import { CommandError, exitCodes } from './exit.ts';

type Servers = Record<string, Tokens>;

/** A lock older than this belongs to a process that is gone: a refresh takes one request. */
const staleLockMs = 30_000;

export class FileKeep implements TokenKeep {
  readonly #file: string;
  readonly #origin: string;

  constructor(file: string, origin: string) {
    this.#file = file;
    this.#origin = origin;
  }

  async load(): Promise<Tokens | undefined> {
    return (await this.#read())[this.#origin];
  }

  async save(tokens: Tokens | undefined): Promise<void> {
    const servers = await this.#read();
    if (tokens) servers[this.#origin] = tokens;
    else delete servers[this.#origin];
    const next = `${this.#file}.${process.pid}`;
    await this.#reach(async () => {
      await writeFile(next, `${JSON.stringify({ servers }, undefined, 2)}\n`, { mode: 0o600 });
      await rename(next, this.#file);
    });
  }

  /** One at a time among processes: a refresh token works once, and its second use ends the session. */
  async exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const lock = `${this.#file}.lock`;
    while (!(await this.#reach(() => taken(lock)))) await pause(50);
    try {
      return await work();
    } finally {
      await rm(lock, { force: true });
    }
  }

  async #read(): Promise<Servers> {
    try {
      const { servers } = JSON.parse(await readFile(this.#file, 'utf8')) as { servers?: Servers };
      return servers ?? {};
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return {};
      if (error instanceof SyntaxError)
        throw new CommandError(`${this.#file} is not JSON: remove it and log in again`, exitCodes.failed);
      throw unreadable(this.#file, error);
    }
  }

  async #reach<Result>(work: () => Promise<Result>): Promise<Result> {
    try {
      await mkdir(dirname(this.#file), { recursive: true, mode: 0o700 });
      return await work();
    } catch (error) {
      throw unreadable(this.#file, error);
    }
  }
}

async function taken(lock: string): Promise<boolean> {
  try {
    await (await open(lock, 'wx', 0o600)).close();
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    const age = await stat(lock).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => 0,
    );
    if (age > staleLockMs) await rm(lock, { force: true });
    return false;
  }
}

function unreadable(file: string, cause: unknown): CommandError {
  const { code = 'unknown error' } = cause as NodeJS.ErrnoException;
  return new CommandError(
    `${file} cannot be used (${code}): make it yours, or set XDG_CONFIG_HOME to a folder that is`,
    exitCodes.failed,
  );
}
