/** Where a chat is printed: above the line that is being typed, or plainly into a pipe. */
import { clearScreenDown, createInterface, cursorTo, type Interface, moveCursor } from 'node:readline';

export interface Screen {
  print(line: string): void;
  /** What stands before the line that is typed. */
  prompt(text: string): void;
  close(): void;
}

/**
 * @param onLine called with every line that was typed or piped in.
 * @param onEnd called at the end of the input, and on Ctrl C.
 */
export function openScreen(onLine: (line: string) => void, onEnd: () => void): Screen {
  const isTerminal = process.stdin.isTTY === true && process.stdout.isTTY === true;
  const lines = createInterface({
    input: process.stdin,
    ...(isTerminal ? { output: process.stdout } : {}),
    terminal: isTerminal,
  });
  lines.on('line', (line) => {
    if (isTerminal) eraseTyped(lines, line);
    onLine(line);
    if (isTerminal) lines.prompt();
  });
  lines.on('close', onEnd);
  lines.on('SIGINT', () => lines.close());
  return isTerminal ? terminalScreen(lines) : pipeScreen(lines);
}

function terminalScreen(lines: Interface): Screen {
  let closed = false;
  lines.on('close', () => {
    closed = true;
    process.stdout.write('\n');
  });
  return {
    print(line) {
      if (!closed) {
        // A typed line may take several rows; the cursor is somewhere in them.
        moveCursor(process.stdout, 0, -lines.getCursorPos().rows);
        cursorTo(process.stdout, 0);
        clearScreenDown(process.stdout);
      }
      process.stdout.write(`${line}\n`);
      if (!closed) lines.prompt(true);
    },
    prompt(text) {
      if (closed) return;
      lines.setPrompt(text);
      lines.prompt(true);
    },
    close: () => lines.close(),
  };
}

function pipeScreen(lines: Interface): Screen {
  return {
    print: (line) => void process.stdout.write(`${line}\n`),
    prompt: () => {},
    close: () => lines.close(),
  };
}

/** The log shows what was typed once it is in it, so the typed line itself is taken away. */
function eraseTyped(lines: Interface, line: string): void {
  const columns = process.stdout.columns || 80;
  const rows = Math.floor((visibleLength(lines.getPrompt()) + line.length) / columns) + 1;
  moveCursor(process.stdout, 0, -rows);
  cursorTo(process.stdout, 0);
  clearScreenDown(process.stdout);
}

function visibleLength(text: string): number {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the colours in a prompt take no room
  return text.replace(/\u001b\[[0-9;]*m/g, '').length;
}
