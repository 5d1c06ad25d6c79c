/** Whose tokens are no longer good: one table, told to every service within two seconds of the transaction that wrote it. */
import { AppError, accessTokenSeconds, type Database, type Logger, type TokenVerifier } from '@parley/kit';
import { type Kysely, sql } from 'kysely';
import type { Tables } from './schema.ts';

/** After this long no token that a revocation is about can still be good: its life, clocks that differ, and some more. */
const inForceMs = (accessTokenSeconds + 60) * 1000;
/** What another process wrote may appear this much later than it says: a statement's time limit and clocks that differ. */
const overlapMs = 30_000;

export interface Revoked {
  userId: string;
  issuedBefore: Date;
}

/**
 * Revokes a user's tokens of up to now, in the transaction of what it is for. To be called when that has its locks, since
 * whoever held them may have issued a token meanwhile. Tell the others with `Revocations.tell` once it is committed.
 * @returns the time before which they were issued.
 */
export async function revokeNow(db: Kysely<Tables>, userId: string): Promise<Date> {
  const now = new Date();
  await sql`insert into users.revocation (user_id, issued_before) values (${userId}, ${now})
    on conflict (user_id) do update set issued_before = greatest(revocation.issued_before, excluded.issued_before)
  `.execute(db);
  return now;
}

export interface RevocationSettings {
  database: Database;
  verifier: TokenVerifier;
  log: Logger;
  /** How often to look for what other processes wrote. */
  pollMs?: number;
}

/** What is in force, kept current; every change is told to our own verifier and to whoever watches. */
export class Revocations implements AsyncDisposable {
  readonly #db: Kysely<Tables>;
  readonly #verifier: TokenVerifier;
  readonly #log: Logger;
  readonly #inForce = new Map<string, Date>();
  readonly #watchers = new Set<(revoked: Revoked) => void>();
  readonly #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #polling: Promise<void> | undefined;
  #polledAt = 0;
  #failing = false;
  #stopped = false;

  private constructor({ database, verifier, log, pollMs = 1000 }: RevocationSettings) {
    this.#db = database.as<Tables>();
    this.#verifier = verifier;
    this.#log = log;
    this.#pollMs = pollMs;
  }

  /** Reads what is in force, and keeps looking. @throws AppError where the database is away. */
  static async open(settings: RevocationSettings): Promise<Revocations> {
    const revocations = new Revocations(settings);
    await revocations.#poll();
    // An embedded database has no other writers.
    if (!settings.database.embedded) revocations.#schedule();
    return revocations;
  }

  /** To be called once a revocation is committed: nobody has to wait for the next look. */
  tell(userId: string, issuedBefore: Date): void {
    const known = this.#inForce.get(userId);
    if (known !== undefined && known >= issuedBefore) return;
    this.#inForce.set(userId, issuedBefore);
    this.#verifier.revoke(userId, issuedBefore);
    for (const watcher of this.#watchers) watcher({ userId, issuedBefore });
  }

  /** Calls `watcher` with all that is in force, then with every new one. @returns what stops it. */
  watch(watcher: (revoked: Revoked) => void): () => void {
    this.#forget();
    for (const [userId, issuedBefore] of this.#inForce) watcher({ userId, issuedBefore });
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    this.#stopped = true;
    await this.#polling?.catch(() => undefined);
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#polling = this.#poll().then(
        () => {
          if (this.#failing) this.#log.info('revocations.followed_again');
          this.#failing = false;
        },
        (error: unknown) => {
          if (!this.#failing) this.#log.warn({ err: (error as Error).message }, 'revocations.not_followed');
          this.#failing = true;
        },
      );
      void this.#polling.then(() => {
        if (!this.#stopped) this.#schedule();
      });
    }, this.#pollMs);
  }

  async #poll(): Promise<void> {
    const startedAt = Date.now();
    const since = new Date(Math.max(this.#polledAt - overlapMs, startedAt - inForceMs));
    const { rows } = await sql<{ user_id: string; issued_before: Date }>`
      select user_id, issued_before from users.revocation where issued_before > ${since}`.execute(this.#db);
    for (const { user_id, issued_before } of rows) this.tell(user_id, issued_before);
    this.#polledAt = startedAt;
    this.#forget();
  }

  #forget(): void {
    const oldest = Date.now() - inForceMs;
    for (const [userId, issuedBefore] of this.#inForce)
      if (issuedBefore.getTime() < oldest) this.#inForce.delete(userId);
  }
}

/** The error of a watcher that does not read. */
export const tooSlow = (): AppError =>
  new AppError('RESOURCE_EXHAUSTED', 'revocations are not read as fast as they come: connect again', {
    retryAfterMs: 0,
  });
