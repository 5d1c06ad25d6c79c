/** How the client's commands end: a result, or one sentence that says what to do, and a code that scripts can test. */
import { ParleyError } from '../problem.ts';

/** 0 is success. The others are those of sysexits.h where it has one. */
export const exitCodes = {
  failed: 1,
  usage: 64,
  unavailable: 69,
  notAllowed: 77,
} as const;

export const exitCodesHelp = `
Exit codes: 0 done; 1 refused by the server; 64 wrong usage; 69 the server cannot be reached; 77 not signed in, or not allowed.`;

/** Something that the caller of a command has to put right. */
export class CommandError extends Error {
  override readonly name = 'CommandError';
  readonly exitCode: number;

  constructor(message: string, exitCode: number = exitCodes.usage) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Wraps a command's action: what it throws becomes a line on stderr and an exit code. */
export function command<Arguments extends unknown[]>(
  action: (...args: Arguments) => Promise<void>,
): (...args: Arguments) => Promise<void> {
  return async (...args) => {
    try {
      await action(...args);
    } catch (error) {
      const { text, exitCode } = describe(error);
      console.error(`parley: ${text}`);
      process.exitCode = exitCode;
    }
  };
}

export function describe(error: unknown): { text: string; exitCode: number } {
  if (error instanceof CommandError) return { text: error.message, exitCode: error.exitCode };
  if (!(error instanceof ParleyError)) throw error;
  const { code, message, details } = error;
  const wait = details.retryAfterMs ? `; try again in ${Math.ceil(details.retryAfterMs / 1000)} s` : '';
  if (code === 'UNAUTHENTICATED')
    return { text: 'you are not signed in here: `parley login` signs you in', exitCode: exitCodes.notAllowed };
  if (code === 'PERMISSION_DENIED') return { text: message, exitCode: exitCodes.notAllowed };
  if (code === 'UNAVAILABLE' && details.status === undefined)
    return { text: `${message}; is it running, and is --url right?`, exitCode: exitCodes.unavailable };
  if (code === 'UNAVAILABLE') return { text: `${message}${wait}`, exitCode: exitCodes.unavailable };
  return { text: `${message}${wait}`, exitCode: exitCodes.failed };
}
