/** Chat in processes of their own, which can be killed: several pods over one Redis. */
import { type ChildProcess, spawn } from 'node:child_process';
import { RpcChannel, type RpcClient } from '@parley/kit';
import { program } from '@parley/kit/testing/program';

const chatAlone = program(new URL('../../bench/serve.ts', import.meta.url));
const startTimeoutMs = 60_000;

/** A chat process that is running. */
export interface ChatProcess {
  pid: number;
  chat: RpcClient<'chat.ChatService'>;
}

export class Fleet implements AsyncDisposable {
  readonly #redisUrl: string;
  readonly #running: { child: ChildProcess; channel: RpcChannel; process: ChatProcess }[] = [];

  private constructor(redisUrl: string) {
    this.#redisUrl = redisUrl;
  }

  static async start(redisUrl: string, size: number): Promise<Fleet> {
    const fleet = new Fleet(redisUrl);
    await Promise.all(Array.from({ length: size }, () => fleet.add()));
    return fleet;
  }

  /** One that is running, by chance. */
  any(): ChatProcess {
    const { process } = this.#running[Math.floor(Math.random() * this.#running.length)]!;
    return process;
  }

  /** All that are running, the oldest first. */
  get all(): ChatProcess[] {
    return this.#running.map(({ process }) => process);
  }

  get size(): number {
    return this.#running.length;
  }

  async add(): Promise<void> {
    const child = spawn(process.execPath, [chatAlone, this.#redisUrl, '0'], { stdio: ['ignore', 'ignore', 'pipe'] });
    const end = () => child.kill('SIGKILL');
    process.once('exit', end);
    child.once('exit', () => process.off('exit', end));
    const port = await new Promise<number>((resolve, reject) => {
      let said = '';
      const late = setTimeout(() => reject(new Error(`chat did not start: ${said}`)), startTimeoutMs);
      child.stderr!.on('data', (chunk: Buffer) => {
        said = (said + chunk).slice(-4000);
        const listening = /listening 127\.0\.0\.1:(\d+)/.exec(said);
        if (!listening) return;
        clearTimeout(late);
        resolve(Number(listening[1]));
      });
      child.once('exit', (code) => {
        clearTimeout(late);
        reject(new Error(`chat ended with ${code}: ${said}`));
      });
    });
    const channel = new RpcChannel({ address: `127.0.0.1:${port}` });
    this.#running.push({
      child,
      channel,
      process: { pid: child.pid as number, chat: channel.client('chat.ChatService') },
    });
  }

  /** Ends one, by chance, with SIGKILL or SIGTERM, and starts another in its place. */
  async replace(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    await Promise.all([this.end(this.any(), signal), this.add()]);
  }

  /** Ends one, and starts none in its place. */
  async end({ pid }: ChatProcess, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const at = this.#running.findIndex(({ process }) => process.pid === pid);
    const [gone] = this.#running.splice(at, 1);
    await end(gone!, signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#running.splice(0).map((one) => end(one, 'SIGKILL')));
  }
}

async function end(
  { child, channel }: { child: ChildProcess; channel: RpcChannel },
  signal: NodeJS.Signals,
): Promise<void> {
  const gone = new Promise((resolve) => child.once('exit', resolve));
  if (child.exitCode === null && child.signalCode === null) {
    child.kill(signal);
    await gone;
  }
  channel[Symbol.dispose]();
}
