/** Being signed in: an access token that is always fresh, whatever keeps the refresh token. */
import { call } from './http.ts';
import type { Credential } from './link.ts';
import { ParleyError } from './problem.ts';
import type { User } from './wire.ts';

export interface Tokens {
  user: User;
  accessToken: string;
  /** Empty where the HttpOnly cookie `parley_refresh` carries it. */
  refreshToken: string;
  /** Milliseconds of the epoch. */
  expiresAt: number;
}

/**
 * Where tokens are kept between uses. A refresh token works once, and the answer that comes last says whose the cookie
 * is: whoever shares a keep signs in, refreshes and logs out one at a time, by `exclusive`.
 */
export interface TokenKeep {
  load(): Promise<Tokens | undefined>;
  save(tokens: Tokens | undefined): Promise<void>;
  exclusive<Result>(work: () => Promise<Result>): Promise<Result>;
}

interface SessionAnswer {
  user: User;
  access_token: string;
  refresh_token?: string;
  expires_in: number;
}

export interface Registration {
  username: string;
  email: string;
  full_name: string;
  password: string;
}

/** A token is renewed when less than this is left of it. */
const freshMs = 60_000;

export class Session {
  readonly #origin: string;
  readonly #keep: TokenKeep;
  #refreshing: Promise<Tokens> | undefined;

  constructor(origin: string, keep: TokenKeep) {
    this.#origin = origin;
    this.#keep = keep;
  }

  register(registration: Registration): Promise<User> {
    return this.#begin('/v1/auth/register', registration);
  }

  login(username: string, password: string): Promise<User> {
    return this.#begin('/v1/auth/login', { username, password });
  }

  logout(): Promise<void> {
    return this.#keep.exclusive(async () => {
      const tokens = await this.#keep.load();
      await this.#keep.save(undefined);
      await call(this.#origin, {
        method: 'POST',
        path: '/v1/auth/logout',
        body: { refresh_token: tokens?.refreshToken ?? '' },
        ...(tokens ? { token: tokens.accessToken } : {}),
      });
    });
  }

  /**
   * A credential that is good for a while.
   *
   * @param refused the last one was not accepted, however long it had to live.
   * @throws ParleyError UNAUTHENTICATED when a new sign-in is needed.
   */
  async credential(refused = false): Promise<Credential> {
    const tokens = await this.#keep.load();
    const left = tokens ? tokens.expiresAt - Date.now() : 0;
    const good = tokens && !refused && left > freshMs ? tokens : await this.refresh(tokens?.accessToken);
    return { token: good.accessToken, expiresAt: good.expiresAt };
  }

  /** Trades the refresh token for new tokens; callers at the same time share one trade. */
  refresh(stale?: string): Promise<Tokens> {
    this.#refreshing ??= this.#keep
      .exclusive(() => this.#trade(stale))
      .finally(() => {
        this.#refreshing = undefined;
      });
    return this.#refreshing;
  }

  async #trade(stale?: string): Promise<Tokens> {
    const kept = await this.#keep.load();
    // Somebody else with the same keep was faster.
    if (kept && stale && kept.accessToken !== stale && kept.expiresAt - Date.now() > freshMs) return kept;
    const body = { refresh_token: kept?.refreshToken ?? '' };
    let answer: SessionAnswer;
    try {
      answer = await call<SessionAnswer>(this.#origin, { method: 'POST', path: '/v1/auth/refresh', body });
    } catch (error) {
      if (!(error instanceof ParleyError) || !['UNAUTHENTICATED', 'INVALID_ARGUMENT'].includes(error.code)) throw error;
      await this.#keep.save(undefined);
      throw new ParleyError('UNAUTHENTICATED', 'your session has ended: sign in again', { cause: error });
    }
    // All tabs share the cookie: whoever signed in last has it, and nobody may go on in his name.
    if (kept && String(kept.user.id) !== String(answer.user.id)) {
      await this.#keep.save(undefined);
      throw new ParleyError('UNAUTHENTICATED', `${answer.user.username} has signed in in this browser: sign in again`);
    }
    return this.#save(answer);
  }

  async #begin(path: string, body: unknown): Promise<User> {
    const { user } = await this.#keep.exclusive(async () =>
      this.#save(await call<SessionAnswer>(this.#origin, { method: 'POST', path, body })),
    );
    return user;
  }

  async #save(answer: SessionAnswer): Promise<Tokens> {
    const tokens: Tokens = {
      user: answer.user,
      accessToken: answer.access_token,
      refreshToken: answer.refresh_token ?? '',
      expiresAt: Date.now() + answer.expires_in * 1000,
    };
    await this.#keep.save(tokens);
    return tokens;
  }
}

/** Tokens that live as long as the program does: in a browser, beside the cookie that outlives it. */
export class MemoryKeep implements TokenKeep {
  #tokens: Tokens | undefined;

  async load(): Promise<Tokens | undefined> {
    return this.#tokens;
  }

  async save(tokens: Tokens | undefined): Promise<void> {
    // Script must never hold what a cookie already carries.
    this.#tokens = tokens && { ...tokens, refreshToken: '' };
  }

  /** One at a time among all tabs of the page, since they share the cookie. */
  async exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    const locks = (globalThis.navigator as { locks?: LockManager } | undefined)?.locks;
    return locks ? ((await locks.request('parley-refresh', work)) as Result) : work();
  }
}

interface LockManager {
  request(name: string, work: () => Promise<unknown>): Promise<unknown>;
}
