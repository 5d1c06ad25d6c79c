/** One `parley serve …` process that keeps its ports over its deaths. */
import { type RunningParley, startParley } from '../parley.ts';
import { within } from './patience.ts';
import type { Tally } from './tally.ts';

const startWithinMs = 120_000;
/** Ten seconds are for calls that are under way, the rest for a machine that is busy. */
const drainWithinMs = 45_000;

/**
 * The young generation is as large as in the image, and has that size from the beginning to the end: V8 would let it follow
 * the load, and give back what a quiet minute does without, by more than what is looked for here.
 */
const flags = ['--min-semi-space-size=32', '--max-semi-space-size=32', '--no-memory-reducer'];

export interface Ports {
  http: number;
  grpc: number;
  metrics: number;
}

export class Member implements AsyncDisposable {
  readonly name: string;
  readonly ports: Ports;
  /** Whether no fault ends it: its memory is judged. */
  readonly isKept: boolean;
  readonly #what: string;
  readonly #env: Record<string, string>;
  readonly #tally: Tally;
  #running: RunningParley | undefined;

  constructor(name: string, ports: Ports, isKept: boolean, env: Record<string, string>, tally: Tally) {
    this.name = name;
    this.#what = name.split('-')[0] as string;
    this.ports = ports;
    this.isKept = isKept;
    this.#tally = tally;
    this.#env = {
      ...env,
      PARLEY_HTTP_PORT: String(ports.http),
      PARLEY_GRPC_PORT: String(ports.grpc),
      PARLEY_METRICS_PORT: String(ports.metrics),
    };
  }

  get http(): string {
    return `http://127.0.0.1:${this.ports.http}`;
  }

  get grpc(): string {
    return `127.0.0.1:${this.ports.grpc}`;
  }

  get metrics(): string {
    return `http://127.0.0.1:${this.ports.metrics}/metrics`;
  }

  async start(): Promise<void> {
    const running = await within(startWithinMs, `the start of ${this.name}`, startParley(this.#what, this.#env, flags));
    this.#running = running;
    void running.ended.then((how) => {
      if (this.#running === running) this.#tally.wrong(`${this.name} ended by itself: ${how}`);
      this.#readLog(running);
    });
  }

  async kill(): Promise<void> {
    await this.#take()?.end('SIGKILL');
  }

  /** Ends it as a rolling update does; it has to leave in order. */
  async terminate(): Promise<void> {
    const running = this.#take();
    if (running === undefined) return;
    const code = await within(drainWithinMs, `the end of ${this.name}`, running.end('SIGTERM')).catch(async (error) => {
      await running.end('SIGKILL');
      throw error;
    });
    if (code !== 0) this.#tally.wrong(`${this.name} ended with ${code} after SIGTERM`);
  }

  /** SIGSTOP or SIGCONT. */
  signal(signal: NodeJS.Signals): void {
    if (this.#running) process.kill(this.#running.pid, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill();
  }

  /** From here on its end is meant. */
  #take(): RunningParley | undefined {
    const running = this.#running;
    this.#running = undefined;
    return running;
  }

  #readLog(running: RunningParley): void {
    for (const { level, msg, err } of running.log) {
      if (level !== 'error' && level !== 'fatal') continue;
      const { message = '' } = (err ?? {}) as { message?: string };
      this.#tally.add(`logged ${this.#what} ${msg} ${message}`.trim());
    }
  }
}
