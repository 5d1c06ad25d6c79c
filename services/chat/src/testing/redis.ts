/** Real Redis servers for tests: their own data in a temporary folder, their own ports, gone with their owner. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Redis } from 'ioredis';

const readyTimeoutMs = 30_000;

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
}

export interface RedisCluster extends AsyncDisposable {
  /** `redis+cluster://…` */
  readonly url: string;
  readonly nodes: RedisServer[];
}

/** @throws Error that names the command that installs it, where redis-server is missing. */
export async function startRedis(settings: RedisSettings = {}): Promise<RedisServer> {
  const server = new Server(await freePort(), settings);
  await server.restart();
  return server;
}

/** Starts a cluster of masters that share the slots evenly; resolves when all of them say that it is well. */
export async function startRedisCluster(size = 3, settings: RedisSettings = {}): Promise<RedisCluster> {
  const cluster = { 'cluster-enabled': 'yes', 'cluster-node-timeout': '2000', ...settings.settings };
  const nodes: RedisServer[] = [];
  const close = async () => void (await Promise.all(nodes.map((node) => node[Symbol.asyncDispose]())));
  try {
    for (let at = 0; at < size; at++) nodes.push(await startRedis({ ...settings, settings: cluster }));
    const clients = nodes.map(({ port }) => new Redis(port, '127.0.0.1'));
    try {
      await Promise.all(
        clients.map(async (client, at) => {
          const from = Math.floor((16384 * at) / size);
          const to = Math.floor((16384 * (at + 1)) / size) - 1;
          await client.call('cluster', 'addslotsrange', from, to);
          await client.call('cluster', 'set-config-epoch', at + 1);
        }),
      );
      for (const { port } of nodes.slice(1)) await clients[0]?.call('cluster', 'meet', '127.0.0.1', port);
      await until(async () => {
        const states = await Promise.all(clients.map(async (client) => String(await client.call('cluster', 'info'))));
        return states.every((state) => /cluster_state:ok/.test(state) && state.includes(`cluster_size:${size}`));
      });
    } finally {
      for (const client of clients) client.disconnect();
    }
  } catch (error) {
    await close();
    throw error;
  }
  const url = `redis+cluster://${nodes.map(({ port }) => `127.0.0.1:${port}`).join(',')}`;
  return { url, nodes, [Symbol.asyncDispose]: close };
}

class Server implements RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'parley-redis-'));
  readonly #options: string[];
  #process: ChildProcess | undefined;
  readonly #atExit = () => this.#process?.kill('SIGKILL');

  constructor(port: number, { appendfsync, settings = {} }: RedisSettings) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    const all = {
      port: String(port),
      bind: '127.0.0.1',
      dir: this.#folder,
      save: '',
      appendonly: appendfsync ? 'yes' : 'no',
      ...(appendfsync && { appendfsync }),
      ...settings,
    };
    this.#options = Object.entries(all).flatMap(([name, value]) => [`--${name}`, value]);
    process.on('exit', this.#atExit);
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

  async [Symbol.asyncDispose]() {
    process.off('exit', this.#atExit);
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

async function until(condition: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + readyTimeoutMs;
  while (!(await condition())) {
    if (performance.now() > deadline) throw new Error(`redis-server is not ready after ${readyTimeoutMs} ms`);
    await sleep(20);
  }
}

/** Below 22,768, since a cluster's node also listens on the port 10,000 above; and below the ports that the system gives. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = 10_000 + Math.floor(Math.random() * 12_000);
    const server = createServer();
    const free = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false));
      server.listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => server.close(resolve));
    return port;
  }
}
