/** A real PostgreSQL for tests and benchmarks: its own data in a temporary folder, its own port, gone with its owner. */
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import pg from 'pg';
import { freePort } from './port.ts';

const run = promisify(execFile);
const readyTimeoutMs = 30_000;

export interface PostgresSettings {
  /** Written to disk at every commit, as in production; tests need it to survive its own death only, not the machine's. */
  durable?: boolean;
  /** More settings of postgresql.conf, such as `max_connections`. */
  settings?: Record<string, string | number>;
}

export interface PostgresServer extends AsyncDisposable {
  /** `postgres://…` of the database `parley`; stays the same over kill() and start(). */
  readonly url: string;
  readonly port: number;
  /** Of the postmaster; undefined while it is down. */
  readonly pid: number | undefined;
  /** Makes one more, empty database on this server. @returns its URL. */
  createDatabase(name: string): Promise<string>;
  /** SIGKILL to all of its processes, as when its container dies; resolves when they are gone. Nothing is lost: start() recovers it. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data; resolves when it answers. */
  start(): Promise<void>;
  /** A fast shutdown. The data stays until it is disposed of. */
  stop(): Promise<void>;
}

/**
 * Starts PostgreSQL. As root it runs as the user `postgres`, since it refuses to run as root.
 * @throws Error that names the command that installs it, where it is missing.
 */
export async function startPostgres({
  durable = false,
  settings = {},
}: PostgresSettings = {}): Promise<PostgresServer> {
  const programs = findPrograms();
  const owner = process.getuid?.() === 0 ? postgresUser() : undefined;
  const folder = mkdtempSync(join(tmpdir(), 'parley-postgres-'));
  if (owner) chownSync(folder, owner.uid, owner.gid);
  const data = join(folder, 'data');
  try {
    await makeData(join(programs, 'initdb'), folder, data, owner);
    const server = new Postmaster(join(programs, 'postgres'), folder, await freePort(), owner, {
      fsync: durable ? 'on' : 'off',
      full_page_writes: durable ? 'on' : 'off',
      ...settings,
    });
    await server.start();
    await server.createDatabase('parley');
    return server;
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw error;
  }
}

const templates = fileURLToPath(new URL('../../../../node_modules/.cache/postgres', import.meta.url));
const initdb = ['-U', 'parley', '-A', 'trust', '-E', 'UTF8', '--locale=C', '--no-sync'];

/** A copy of what this version's initdb has made once: initdb takes a second of CPU time, the copy a tenth of one. */
async function makeData(program: string, folder: string, data: string, owner: Owner | undefined): Promise<void> {
  const { stdout } = await run(program, ['--version']);
  const template = join(templates, [stdout, ...initdb].join(' ').replace(/[^\w.]+/g, '-'));
  const copy = (from: string, to: string) => run('cp', ['-a', from, to]);
  if (existsSync(template)) {
    await copy(template, data);
    return;
  }
  await run(program, ['-D', data, ...initdb], { ...owner, cwd: folder });
  mkdirSync(templates, { recursive: true });
  const made = mkdtempSync(`${template}.`);
  await copy(data, join(made, 'data'));
  try {
    renameSync(join(made, 'data'), template);
  } catch (error) {
    // Of two that make it at once, the first is kept.
    if (!existsSync(template)) throw error;
  } finally {
    rmSync(made, { recursive: true, force: true });
  }
}

interface Owner {
  uid: number;
  gid: number;
}

class Postmaster implements PostgresServer {
  readonly port: number;
  readonly url: string;
  readonly #program: string;
  readonly #folder: string;
  readonly #owner: Owner | undefined;
  readonly #settings: Record<string, string | number>;
  #process: ChildProcess | undefined;
  #output = '';

  constructor(
    program: string,
    folder: string,
    port: number,
    owner: Owner | undefined,
    settings: Record<string, string | number>,
  ) {
    this.#program = program;
    this.#folder = folder;
    this.#owner = owner;
    this.#settings = { listen_addresses: '127.0.0.1', unix_socket_directories: '', ...settings };
    this.port = port;
    this.url = this.#urlOf('parley');
  }

  get pid(): number | undefined {
    return this.#process?.pid;
  }

  async createDatabase(name: string): Promise<string> {
    await this.#query(`create database ${pg.escapeIdentifier(name)}`);
    return this.#urlOf(name);
  }

  async start(): Promise<void> {
    const giveUpAt = Date.now() + readyTimeoutMs;
    for (;;) {
      if (this.#process === undefined) this.#spawn();
      try {
        return await this.#query('select 1');
      } catch (cause) {
        if (Date.now() > giveUpAt) {
          await this.kill();
          throw new Error(`PostgreSQL does not answer on port ${this.port}:\n${this.#output}`, { cause });
        }
        // Recovery after a kill, or the killed one's children, which hold its shared memory for a moment.
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  async kill(): Promise<void> {
    // On their own, the processes that serve connections would finish what they are at.
    const children = this.pid === undefined ? [] : childrenOf(this.pid);
    await this.#end('SIGKILL');
    for (const pid of children) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
    while (children.some(isRunning)) await new Promise((resolve) => setTimeout(resolve, 5));
  }

  stop(): Promise<void> {
    return this.#end('SIGINT');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#end('SIGQUIT');
    rmSync(this.#folder, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 });
  }

  #urlOf(database: string): string {
    return `postgres://parley@127.0.0.1:${this.port}/${database}`;
  }

  async #query(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.#urlOf('postgres'), connectionTimeoutMillis: 2000 });
    client.on('error', () => undefined);
    try {
      await client.connect();
      await client.query(text);
    } finally {
      await client.end().catch(() => undefined);
    }
  }

  #spawn(): void {
    const settings = Object.entries(this.#settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
    const child = spawn(this.#program, ['-D', join(this.#folder, 'data'), '-p', String(this.port), ...settings], {
      ...this.#owner,
      cwd: this.#folder,
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.#output = (this.#output + chunk).slice(-4000);
    });
    const killChild = () => child.kill('SIGQUIT');
    process.once('exit', killChild);
    child.once('exit', () => {
      process.off('exit', killChild);
      if (this.#process === child) this.#process = undefined;
    });
    this.#process = child;
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process;
    if (child === undefined) return;
    const gone = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }
}

/** The folder of initdb and postgres, of the newest version. */
function findPrograms(): string {
  const debian = '/usr/lib/postgresql';
  const versions = existsSync(debian) ? readdirSync(debian).sort((a, b) => Number(b) - Number(a)) : [];
  const folders = [
    ...(process.env['PATH'] ?? '').split(delimiter),
    ...versions.map((version) => join(debian, version, 'bin')),
  ];
  const found = folders.find((folder) => ['initdb', 'postgres'].every((name) => existsSync(join(folder, name))));
  if (found === undefined) {
    throw new Error('these tests need PostgreSQL, which is not installed: apt-get install -y postgresql');
  }
  return found;
}

function postgresUser(): Owner {
  const id = (flag: string) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: id('-u'), gid: id('-g') };
}

function childrenOf(pid: number): number[] {
  const listed = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim();
  return listed === '' ? [] : listed.split(' ').map(Number);
}

function isRunning(pid: number): boolean {
  try {
    // Behind the name in brackets: Z is one that is dead and waits for its parent to notice.
    return !/\) [ZX] /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
}
