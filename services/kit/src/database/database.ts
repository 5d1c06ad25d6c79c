/** One way to a database for every service: `pg` where DATABASE_URL is set, PGlite in the data folder else. Same SQL, same types. */
import { Kysely, PGliteDialect, PostgresDialect, sql } from 'kysely';
import pg from 'pg';
import type { Logger } from '../log.ts';
import { openEmbedded } from './embedded.ts';
import { GuardedDialect } from './guarded-dialect.ts';
import { impatientClient } from './impatient-client.ts';

const statementTimeoutMs = 10_000;

export interface DatabaseSettings {
  /** `postgres://…`; absent: PGlite in `directory`, or in memory where that is absent too. */
  url?: string | undefined;
  directory?: string | undefined;
  /** Connections at most. */
  poolSize?: number;
  /** How long to wait for a server that does not answer; longer than it may take for a statement. */
  patienceMs?: number;
  log: Logger;
}

/**
 * A database, shared by all services of a process: PGlite has one session, so that only one Kysely may use it.
 * 64-bit integers are text and timestamps are Dates in both; `bytea` is a Buffer in pg and a Uint8Array in PGlite.
 */
export class Database implements AsyncDisposable {
  readonly embedded: boolean;
  readonly #kysely: Kysely<unknown>;
  readonly url: string | undefined;

  private constructor(kysely: Kysely<unknown>, url: string | undefined, pool: pg.Pool | undefined) {
    this.#kysely = kysely;
    this.url = url;
    this.embedded = pool === undefined;
  }

  /** Opens PGlite, or prepares a pool; a server is connected to at the first query. */
  static async open({
    url,
    directory,
    poolSize = 10,
    patienceMs = statementTimeoutMs + 1000,
    log,
  }: DatabaseSettings): Promise<Database> {
    if (url === undefined) {
      const pglite = await openEmbedded(directory);
      return new Database(
        new Kysely({ dialect: new GuardedDialect(new PGliteDialect({ pglite: pglite as never })) }),
        undefined,
        undefined,
      );
    }
    const pool = new pg.Pool({
      connectionString: url,
      max: poolSize,
      connectionTimeoutMillis: 3000,
      idleTimeoutMillis: 60_000,
      statement_timeout: statementTimeoutMs,
      Client: impatientClient(patienceMs),
      keepAlive: true,
      application_name: 'parley',
    });
    // An idle connection that breaks is replaced by the pool; without a listener it would end the process.
    pool.on('error', (err) => log.warn({ err: err.message }, 'database.connection_lost'));
    // So does one that breaks while it is in use, whose statement fails by itself.
    pool.on('connect', (client) => client.on('error', () => undefined));
    const guarded = new GuardedDialect(new PostgresDialect({ pool }), pool);
    return new Database(new Kysely({ dialect: guarded }), url, pool);
  }

  /** The database as one service's tables, named with their schema: `db.selectFrom('chat.room')`. */
  as<Tables>(): Kysely<Tables> {
    return this.#kysely as Kysely<Tables>;
  }

  /** A connection of its own for LISTEN, outside the pool. Undefined on PGlite. */
  listener(): pg.Client | undefined {
    return this.url === undefined
      ? undefined
      : new pg.Client({
          connectionString: this.url,
          keepAlive: true,
          connectionTimeoutMillis: 3000,
          application_name: 'parley-listen',
        });
  }

  /** For readiness. @throws AppError UNAVAILABLE. */
  async check(): Promise<void> {
    await sql`select 1`.execute(this.#kysely);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kysely.destroy();
  }
}
