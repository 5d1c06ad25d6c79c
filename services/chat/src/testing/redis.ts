/** Real Redis servers for tests: their own data in a temporary folder, their own ports, gone with their owner. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '@parley/kit/testing/port';
import { Redis } from 'ioredis';

const readyTimeoutMs = 30_000;

/** None outlives the tests. */
const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const server of running) server.kill('SIGKILL');
});

export interface RedisSettings {
  /** `always` writes before it acknowledges; absent: nothing is kept. */
  appendfsync?: 'always' | 'everysec' | 'no';
  /** More settings of redis.conf. */
  settings?: Record<string, string>;
}

export interface RedisServer extends AsyncDisposable {
  /** `redis://…`, the same over kill() and restart(). */
  readonly url: string;
  readonly port: number;
  readonly pid: number | undefined;
  /** SIGKILL, as a crash does it; resolves when the process is gone. */
  kill(): Promise<void>;
  /** Starts it again on the same port with the same data; resolves when it answers. */
  restart(): Promise<void>;
  /** One after the other. */
  crash(): Promise<void>;
}

/** @throws Error that names the command that installs it, where redis-server is missing. */
export async function startRedis(settings: RedisSettings = {}): Promise<RedisServer> {
  const server = new Server(await freePort(), settings);
  await server.restart();
  return server;
}

/** A process that watches masters, and promotes a replica of one that is gone. @param lines of its sentinel.conf */
export async function startSentinel(lines: string[]): Promise<RedisServer> {
  const server = new Server(await freePort(), {}, lines);
  await server.restart();
  return server;
}

class Server implements RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'parley-redis-'));
  readonly #options: string[];
  #process: ChildProcess | undefined;

  constructor(port: number, { appendfsync, settings = {} }: RedisSettings, sentinel?: string[]) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    const place = { port: String(port), bind: '127.0.0.1', dir: this.#folder };
    if (sentinel) {
      // What it learns it writes into its configuration.
      const file = join(this.#folder, 'sentinel.conf');
      const lines = [...Object.entries(place).map(([name, value]) => `${name} ${value}`), ...sentinel];
      writeFileSync(file, `${lines.join('\n')}\n`);
      this.#options = [file, '--sentinel'];
    } else {
      const all = {
        ...place,
        save: '',
        // A replica that asks is served at once.
        'repl-diskless-sync-delay': '0',
        appendonly: appendfsync ? 'yes' : 'no',
        ...(appendfsync && { appendfsync }),
        ...settings,
      };
      this.#options = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    }
  }

  get pid() {
    return this.#process?.pid;
  }

  async restart() {
    const server = spawn('redis-server', this.#options, { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    server.stdout.on('data', (text) => (output = `${output}${text}`.slice(-2000)));
    server.stderr.on('data', (text) => (output = `${output}${text}`.slice(-2000)));
    const failed = new Promise<never>((_, reject) => {
      server.once('error', () => reject(new Error('redis-server is missing: apt-get install -y redis-server')));
      server.once('exit', (code) => reject(new Error(`redis-server ended with ${code}: ${output}`)));
    });
    failed.catch(() => {});
    this.#process = server;
    running.add(server);
    server.once('exit', () => running.delete(server));
    await Promise.race([failed, until(() => answers(this.port))]);
  }

  async kill() {
    const server = this.#process;
    this.#process = undefined;
    if (!server || server.exitCode !== null || server.signalCode !== null) return;
    const gone = once(server, 'exit');
    server.kill('SIGKILL');
    await gone;
  }

  async crash() {
    await this.kill();
    await this.restart();
  }

  async [Symbol.asyncDispose]() {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function answers(port: number): Promise<boolean> {
  const client = new Redis(port, '127.0.0.1', { lazyConnect: true, retryStrategy: null, maxRetriesPerRequest: 0 });
  client.on('error', () => {});
  try {
    await client.connect();
    return (await client.ping()) === 'PONG';
  } catch {
    return false;
  } finally {
    client.disconnect();
  }
}

/** Waits for servers to be as they should. */
export async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`redis-server is not ready after ${readyTimeoutMs} ms`);
    await sleep(20);
  }
}
