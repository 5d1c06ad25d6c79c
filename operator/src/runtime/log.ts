/** What the runtime logs to: pino fits. Events are stable names, the fields say the rest. */
export interface Logger {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/**
 * How loudly one failure of several in a row is told: in full at first and at each doubling. An outage of ten minutes is
 * eight lines, not two hundred.
 */
export function failureLevel(failures: number): 'warn' | 'debug' {
  return (failures & (failures - 1)) === 0 ? 'warn' : 'debug';
}

/** Says nothing. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
