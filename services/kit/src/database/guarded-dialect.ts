import type {
  CompiledQuery,
  DatabaseConnection,
  DatabaseIntrospector,
  Dialect,
  DialectAdapter,
  Driver,
  Kysely,
  QueryCompiler,
  QueryResult,
} from 'kysely';
import type { Pool } from 'pg';
import { AppError, unavailable } from '../errors.ts';
import { inSpan, SpanKind, tracingEnabled } from '../tracing.ts';

/** Callers that may wait for a connection before the next one is refused. */
const longestQueue = 1000;

/**
 * A dialect whose failures callers understand: a database that is away is UNAVAILABLE, a full pool RESOURCE_EXHAUSTED,
 * a deadlock ABORTED; what a statement itself did wrong passes through. Statements are spans of the trace they belong to.
 */
export class GuardedDialect implements Dialect {
  readonly #inner: Dialect;
  readonly #pool: Pool | undefined;

  constructor(inner: Dialect, pool?: Pool) {
    this.#inner = inner;
    this.#pool = pool;
  }

  createDriver(): Driver {
    const pool = this.#pool;
    const driver = this.#inner.createDriver();
    return overriding(driver, {
      async acquireConnection(...options: Parameters<Driver['acquireConnection']>) {
        if (pool && pool.waitingCount >= longestQueue) throw busy();
        try {
          return guarded(await driver.acquireConnection(...options));
        } catch (error) {
          if (pool && isTimeout(error) && pool.totalCount >= (pool.options.max ?? 10)) throw busy(error);
          throw translate(error, true);
        }
      },
    });
  }

  createQueryCompiler(): QueryCompiler {
    return this.#inner.createQueryCompiler();
  }
  createAdapter(): DialectAdapter {
    return this.#inner.createAdapter();
  }
  createIntrospector(db: Kysely<unknown>): DatabaseIntrospector {
    return this.#inner.createIntrospector(db);
  }
}

const connections = new WeakMap<DatabaseConnection, DatabaseConnection>();

function guarded(connection: DatabaseConnection): DatabaseConnection {
  let wrapped = connections.get(connection);
  if (wrapped === undefined) {
    wrapped = overriding(connection, {
      async executeQuery<R>(query: CompiledQuery, ...rest: never[]): Promise<QueryResult<R>> {
        try {
          const run = () => connection.executeQuery<R>(query, ...rest);
          if (!tracingEnabled()) return await run();
          return await inSpan('database', { 'db.system': 'postgresql', 'db.query.text': query.sql }, run, {
            kind: SpanKind.CLIENT,
          });
        } catch (error) {
          throw translate(error, false);
        }
      },
    });
    connections.set(connection, wrapped);
  }
  return wrapped;
}

/** The same object with some methods replaced; the others keep their own `this`, since drivers have private fields. */
function overriding<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, key) {
      if (Object.hasOwn(methods, key)) return methods[key as keyof T];
      const value = target[key as keyof T];
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}

const busy = (cause?: unknown) =>
  new AppError('RESOURCE_EXHAUSTED', 'too many calls wait for the database: try again', { retryAfterMs: 500, cause });

const isTimeout = (error: unknown) =>
  error instanceof Error && /timeout exceeded when trying to connect/.test(error.message);

/** SQLSTATE classes of a server that is going, gone or full, and Node's codes of a broken connection. */
const away = /^(08|57P0|53|25006|ECONN|EPIPE|ETIMEDOUT|EHOSTUNREACH|ENETUNREACH|ENOTFOUND|EAI_AGAIN)/;

function translate(error: unknown, connecting: boolean): unknown {
  if (error instanceof AppError || !(error instanceof Error)) return error;
  const code = (error as { code?: string }).code ?? '';
  if (code === '57014')
    return new AppError('DEADLINE_EXCEEDED', 'the database took too long to answer', {
      retryAfterMs: 1000,
      cause: error,
    });
  // Of two transactions that wait for each other, one is given up, and nothing of it has happened.
  if (code === '40P01' || code === '40001')
    return new AppError('ABORTED', 'another call was changing the same at once: try again', {
      retryAfterMs: 100,
      cause: error,
    });
  // PostgreSQL keeps every text but one with U+0000: no key, name or id of ours has it.
  if (code === '22021')
    return new AppError('INVALID_ARGUMENT', 'text with the character U+0000 is not allowed', { cause: error });
  if (
    connecting ||
    away.test(code) ||
    /Connection terminated|connection error|not queryable|Client was closed/i.test(error.message)
  ) {
    return unavailable('the database cannot be reached: try again', 1000, error);
  }
  return error;
}
