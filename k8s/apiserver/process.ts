import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, openSync, readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

// The kernel ends the program with its parent, so that a killed test run leaves nothing behind.
const setpriv = existsSync('/usr/bin/setpriv') ? ['/usr/bin/setpriv', '--pdeathsig', 'KILL'] : [];

const pollMs = 25;

/** One program that a test starts, pauses, stops and starts again. Its output is appended to `logFile`. */
export class Program {
  readonly #command: readonly string[];
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(command: readonly string[], logFile: string) {
    this.#command = command;
    this.#logFile = logFile;
  }

  get running(): boolean {
    return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
  }

  /**
   * Starts the program and resolves once `ready` says so.
   *
   * @throws when the program ends first or is not ready within `timeoutMs`, with the end of its log.
   */
  async start(ready: () => Promise<boolean>, timeoutMs: number): Promise<void> {
    const [file, ...args] = [...setpriv, ...this.#command] as [string, ...string[]];
    const log = openSync(this.#logFile, 'a');
    const child = spawn(file, args, { stdio: ['ignore', log, log] });
    this.#child = child;
    this.#exited = once(child, 'exit').catch(() => undefined);
    process.once('exit', this.#killNow);
    const deadline = Date.now() + timeoutMs;
    while (!(await ready().catch(() => false))) {
      if (!this.running) throw new Error(`${this.#name} ended: ${this.#logTail()}`);
      if (Date.now() > deadline) {
        await this.stop('SIGKILL');
        throw new Error(`${this.#name} was not ready within ${timeoutMs} ms: ${this.#logTail()}`);
      }
      await delay(pollMs);
    }
  }

  signal(signal: NodeJS.Signals): void {
    if (this.running) this.#child?.kill(signal);
  }

  async stop(signal: NodeJS.Signals): Promise<void> {
    this.signal(signal);
    await this.#exited;
    process.removeListener('exit', this.#killNow);
  }

  readonly #killNow = (): void => this.signal('SIGKILL');

  get #name(): string {
    return this.#command[0]!.split('/').at(-1)!;
  }

  #logTail(): string {
    return readFileSync(this.#logFile, 'utf8').trimEnd().split('\n').slice(-5).join('\n');
  }
}
