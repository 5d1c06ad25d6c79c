/** A real `parley serve …` process for tests: its own data folder, free ports, gone with its owner. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { program } from '@parley/kit/testing/program';

/** The file that `node` runs as `parley`. */
export const main = program(new URL('../main.ts', import.meta.url));

export interface RunningParley extends AsyncDisposable {
  readonly pid: number;
  readonly http: string;
  readonly grpc: string;
  readonly metrics: string;
  /** The log so far, a parsed line each. */
  readonly log: Record<string, unknown>[];
  readonly directory: string;
  /** Its exit code, or the signal that killed it, once it has ended. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Ends it, and answers its exit code; null after a signal that killed it. */
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/**
 * Starts it and waits until it says that it has started.
 * @param flags of Node
 * @throws Error with what it printed, where it ends before.
 */
export async function startParley(
  what: string,
  env: Record<string, string> = {},
  flags: string[] = [],
): Promise<RunningParley> {
  const directory = env['PARLEY_DATA_DIR'] ?? mkdtempSync(join(tmpdir(), 'parley-test-'));
  const settings = {
    PARLEY_HTTP_PORT: '0',
    PARLEY_GRPC_PORT: '0',
    PARLEY_METRICS_PORT: '0',
    PARLEY_DATA_DIR: directory,
  };
  const { PATH, NODE_COMPILE_CACHE } = process.env;
  // As the tests' own processes are: without the optimizing that pays off later, with what others have compiled.
  const child = spawn(process.execPath, ['--liftoff-only', ...flags, main, 'serve', what], {
    env: { PATH, NODE_COMPILE_CACHE, ...settings, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killChild = () => child.kill('SIGKILL');
  process.once('exit', killChild);
  const ended = new Promise<number | NodeJS.Signals>((resolve) =>
    child.once('exit', (code, signal) => {
      process.off('exit', killChild);
      resolve(code ?? (signal as NodeJS.Signals));
    }),
  );
  const log: Record<string, unknown>[] = [];
  const printed: string[] = [];
  child.stderr.setEncoding('utf8').on('data', (text: string) => printed.push(text));
  const lines = createInterface({ input: child.stdout });
  const started = await new Promise<{ http?: number; grpc: number; metrics: number }>((resolve, reject) => {
    lines.on('line', (line) => {
      const entry = parsed(line);
      log.push(entry);
      if (entry['msg'] === 'parley.started') resolve(entry as never);
    });
    child.once('exit', (code) => reject(new Error(`parley serve ${what} ended with ${code}: ${printed.join('')}`)));
  });
  return {
    pid: child.pid as number,
    http: `http://127.0.0.1:${started.http}`,
    grpc: `127.0.0.1:${started.grpc}`,
    metrics: `http://127.0.0.1:${started.metrics}`,
    log,
    directory,
    ended,
    end: (signal) => end(child, signal),
    async [Symbol.asyncDispose]() {
      await end(child, 'SIGKILL');
      if (env['PARLEY_DATA_DIR'] === undefined) rmSync(directory, { recursive: true, force: true });
    },
  };
}

async function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  if (child.exitCode !== null || child.signalCode !== null) return child.exitCode;
  const exited = once(child, 'exit');
  child.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}

function parsed(line: string): Record<string, unknown> {
  try {
    return JSON.parse(line);
  } catch {
    return { msg: line };
  }
}
