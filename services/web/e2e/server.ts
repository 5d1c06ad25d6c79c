/** All of Parley as a process of its own, that can be killed and started again on the same data. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '@parley/kit/testing/port';
import { program } from '@parley/kit/testing/program';

export const main = program(new URL('../../platform/src/main.ts', import.meta.url));

export class Platform {
  readonly #folder: string;
  readonly #port: number;
  #process: ChildProcess | undefined;

  private constructor(folder: string, port: number) {
    this.#folder = folder;
    this.#port = port;
  }

  static async start(): Promise<Platform> {
    const platform = new Platform(await mkdtemp(join(tmpdir(), 'parley-e2e-')), await freePort());
    await platform.start();
    return platform;
  }

  get url(): string {
    return `http://localhost:${this.#port}`;
  }

  /** Starts the process; resolves once it says that it is ready. */
  async start(): Promise<void> {
    const env = {
      ...process.env,
      PARLEY_DATA_DIR: join(this.#folder, 'data'),
      PARLEY_HTTP_PORT: String(this.#port),
      PARLEY_GRPC_PORT: '0',
      PARLEY_METRICS_PORT: '0',
    };
    const child = spawn(process.execPath, ['--liftoff-only', main, 'serve', 'all'], {
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#process = child;
    let output = '';
    const started = new Promise<void>((resolve, reject) => {
      const read = (chunk: Buffer) => {
        output += chunk;
        if (output.includes('parley.started')) resolve();
      };
      child.stdout.on('data', read);
      child.stderr.on('data', read);
      child.once('exit', (code) => reject(new Error(`the server ended with ${code}:\n${output}`)));
    });
    await started;
  }

  /** Without any warning, as a crash is. */
  async kill(): Promise<void> {
    const child = this.#process!;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
    await rm(this.#folder, { recursive: true, force: true });
  }
}
