/** The data folder of the embedded default, and the lock beside the data: PGlite has none of its own. */
import { accessSync, constants, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StartError } from '../settings.ts';

export interface DataFolder extends Disposable {
  path: string;
}

/**
 * Takes the folder for this process.
 * @throws StartError where it cannot be written, or a process that lives has it.
 */
export function openDataFolder(directory: string): DataFolder {
  const path = resolve(directory);
  try {
    mkdirSync(path, { recursive: true, mode: 0o700 });
    accessSync(path, constants.W_OK);
  } catch (cause) {
    throw new StartError(
      `the data folder ${path} cannot be written: make it writable, or set PARLEY_DATA_DIR to another folder`,
      1,
      cause,
    );
  }
  const lock = join(path, 'lock');
  const own = `${process.pid} ${startTime(process.pid)}\n`;
  while (!tryLock(lock, own)) {
    const holder = readLock(lock);
    if (holder === undefined) continue; // Released in between.
    if (isAlive(holder)) {
      throw new StartError(
        `the data folder ${path} is in use by process ${holder.pid}: stop that one, or set PARLEY_DATA_DIR to another folder`,
        1,
      );
    }
    takeOver(lock, holder.text);
  }
  return {
    path,
    [Symbol.dispose]() {
      if (readLock(lock)?.text === own) rmSync(lock, { force: true });
    },
  };
}

interface Holder {
  pid: number;
  startedAt: string;
  text: string;
}

function tryLock(lock: string, own: string): boolean {
  try {
    writeFileSync(lock, own, { flag: 'wx' });
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw new StartError(
      `the data folder's lock ${lock} cannot be written: make the folder writable, or set PARLEY_DATA_DIR`,
      1,
      error,
    );
  }
}

function readLock(lock: string): Holder | undefined {
  try {
    const text = readFileSync(lock, 'utf8');
    const [pid = '0', startedAt = ''] = text.trim().split(' ');
    return { pid: Number(pid), startedAt, text };
  } catch {
    return undefined;
  }
}

/** Moves a dead process's lock out of the way: of two that try, the rename of one finds what the other has put there. */
function takeOver(lock: string, expected: string): void {
  const aside = `${lock}.${process.pid}`;
  try {
    renameSync(lock, aside);
    if (readFileSync(aside, 'utf8') !== expected) renameSync(aside, lock);
    else rmSync(aside);
  } catch {
    // Somebody else was faster; the next look says who.
  }
}

function isAlive({ pid, startedAt }: Holder): boolean {
  // An own pid in a lock that we have not written is a process of an earlier container.
  if (!Number.isInteger(pid) || pid <= 0 || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
  // The pid may have been given to another process since.
  const now = startTime(pid);
  return startedAt === '' || now === '' || now === startedAt;
}

/** When a process started, in the kernel's ticks; empty where /proc does not say. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '';
  } catch {
    return '';
  }
}
