/** Questions on the terminal; from a pipe, the answers are its lines. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import { CommandError } from './exit.ts';

/** @param otherwise what to say where there is no terminal to ask on */
export async function ask(question: string, otherwise: string): Promise<string> {
  if (!process.stdin.isTTY) throw new CommandError(otherwise);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return (await lines.question(question)).trim();
  } finally {
    lines.close();
  }
}

/** A password: never echoed, never an argument that others could see in the list of processes. */
export async function askPassword(question: string): Promise<string> {
  if (!process.stdin.isTTY) return firstLine();
  process.stderr.write(question);
  const silence = new Writable({ write: (_chunk, _encoding, done) => done() });
  const lines = createInterface({ input: process.stdin, output: silence, terminal: true });
  try {
    return await lines.question('');
  } finally {
    lines.close();
    process.stderr.write('\n');
  }
}

async function firstLine(): Promise<string> {
  for await (const line of createInterface({ input: process.stdin })) return line;
  throw new CommandError('the password is missing: it is the first line of the standard input');
}
