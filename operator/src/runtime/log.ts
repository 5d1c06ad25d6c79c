/** What the runtime logs to: pino fits. Events are stable names, the fields say the rest. */
export interface Logger {
  debug(fields: object, event: string): void;
  info(fields: object, event: string): void;
  warn(fields: object, event: string): void;
  error(fields: object, event: string): void;
}

/** Says nothing. */
export const silent: Logger = { debug() {}, info() {}, warn() {}, error() {} };
