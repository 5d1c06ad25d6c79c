/** `parley chat` in a real terminal, by way of script(1). */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { main } from './server.ts';

export const hasTerminal = process.platform === 'linux' && existsSync('/usr/bin/script');
export const howToGetTerminal = 'script(1) is missing: apt-get install -y bsdutils';

export class Terminal {
  readonly #child: ChildProcess;
  #output = '';

  constructor(args: readonly string[], env: Record<string, string>) {
    const command = [process.execPath, main, ...args].map((word) => `'${word}'`).join(' ');
    this.#child = spawn('/usr/bin/script', ['-qfec', command, '/dev/null'], {
      env: { ...process.env, NO_COLOR: '1', TERM: 'xterm', ...env },
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    this.#child.stdout!.setEncoding('utf8').on('data', (text) => {
      this.#output += text;
    });
  }

  /** All that was written to the screen, without what moves the cursor. */
  get output(): string {
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
    return this.#output.replace(/\u001b\[[0-9;?]*[a-zA-Z]/g, '');
  }

  /** The messages as they were printed. */
  texts(): string[] {
    return [...this.output.matchAll(/\d\d:\d\d \S+ {2}([^\r\n]*)\r?\n/g)].map((match) => match[1]!);
  }

  type(line: string): void {
    this.#child.stdin!.write(`${line}\r`);
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}
