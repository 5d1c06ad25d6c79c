import { type Logger, pino } from 'pino';

export type { Logger } from 'pino';

export const logLevels = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/**
 * JSON lines on standard output, with stable event names (`log.info({room}, 'room.created')`).
 * Lines are written in batches, since a line a call written at once costs more than many a call; `flush` on the way out.
 * Never log a token, a password or a message's text: what looks like one is blanked.
 */
export function createLog(name: string, level: string): Logger {
  const destination = pino.destination({ dest: 1, sync: level === 'silent', minLength: 4096, periodicFlush: 100 });
  return pino(
    {
      name,
      level,
      base: { service: name },
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: {
        paths: [
          'password',
          'token',
          'authorization',
          'refresh_token',
          'access_token',
          '*.password',
          '*.token',
          '*.authorization',
        ],
        censor: '(hidden)',
      },
    },
    destination,
  );
}

/** A log for tests and for code that is used alone. */
export const silentLog: Logger = pino({ level: 'silent' });
