/** Access tokens: JWTs signed with the ring's newest key and verified by any of its keys. */
import { randomUUID } from 'node:crypto';
import jwt from 'jsonwebtoken';
import { AppError } from '../errors.ts';
import type { Caller, Role, SignedIn } from './caller.ts';
import type { KeyRing } from './keys.ts';

const issuer = 'parley';
const audience = 'parley';
/** How far clocks may differ. */
const clockToleranceSeconds = 10;
const longestToken = 8192;

export const accessTokenSeconds = 15 * 60;

export interface Subject {
  userId: string;
  username: string;
  role: Role;
}

/** Signs an access token. */
export function signToken(ring: KeyRing, subject: Subject, lifetimeSeconds = accessTokenSeconds): string {
  const { kid, privateKey, algorithm } = ring.signing();
  const claims = { username: subject.username, role: subject.role };
  return jwt.sign(claims, privateKey, {
    algorithm,
    keyid: kid,
    issuer,
    audience,
    subject: subject.userId,
    expiresIn: lifetimeSeconds,
    jwtid: randomUUID(),
  });
}

/** One constant message, so that nobody learns which part of a forged token was right. */
export const badToken = (): AppError =>
  new AppError('UNAUTHENTICATED', 'the access token is not valid or has expired: sign in again');

/**
 * Verifies tokens and remembers those it has verified, since a signature costs more than the call it comes with.
 * The memory is bounded, and a token is never remembered longer than it is good.
 */
export class TokenVerifier {
  readonly #ring: KeyRing;
  readonly #known = new Map<string, SignedIn>();
  readonly #revokedBefore = new Map<string, number>();
  readonly #listeners = new Set<(userId: string) => void>();

  constructor(ring: KeyRing) {
    this.#ring = ring;
  }

  /** @throws AppError UNAUTHENTICATED with one constant message, whatever is wrong. */
  verify(token: string): SignedIn {
    const known = this.#known.get(token);
    const caller = known ?? this.#check(token);
    const nowSeconds = Date.now() / 1000;
    if (caller.expiresAt + clockToleranceSeconds <= nowSeconds || this.isRevoked(caller)) {
      this.#known.delete(token);
      throw badToken();
    }
    if (known === undefined) {
      if (this.#known.size >= 10_000) this.#known.clear();
      this.#known.set(token, caller);
    }
    return caller;
  }

  /** From now on tokens of this user that were issued before the time are not good. */
  revoke(userId: string, issuedBefore: Date): void {
    // `iat` has whole seconds: a token of the same second as the revocation is taken for an older one.
    const seconds = Math.ceil(issuedBefore.getTime() / 1000);
    this.#revokedBefore.set(userId, Math.max(seconds, this.#revokedBefore.get(userId) ?? 0));
    if (this.#revokedBefore.size > 10_000) this.#forgetOld();
    for (const listener of this.#listeners) listener(userId);
  }

  /** Calls the listener for every user whose older tokens are not good any more: for what was opened with one. */
  onRevoked(listener: (userId: string) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  isRevoked(caller: Caller): boolean {
    if (caller.kind !== 'user') return false;
    const before = this.#revokedBefore.get(caller.userId);
    return before !== undefined && caller.issuedAt < before;
  }

  #forgetOld(): void {
    const oldest = Date.now() / 1000 - accessTokenSeconds - 60;
    for (const [userId, before] of this.#revokedBefore) if (before < oldest) this.#revokedBefore.delete(userId);
  }

  #check(token: string): SignedIn {
    try {
      if (token.length > longestToken) throw badToken();
      const kid = headerKid(token);
      const key = this.#ring.verifying(kid);
      if (key === undefined) throw badToken();
      const claims = jwt.verify(token, key.publicKey, {
        algorithms: [key.algorithm],
        issuer,
        audience,
        clockTolerance: clockToleranceSeconds,
      });
      return callerOf(claims);
    } catch {
      throw badToken();
    }
  }
}

function headerKid(token: string): string {
  const header: unknown = JSON.parse(Buffer.from(token.slice(0, token.indexOf('.')), 'base64url').toString());
  const kid = (header as { kid?: unknown }).kid;
  if (typeof kid !== 'string') throw badToken();
  return kid;
}

function callerOf(claims: string | jwt.JwtPayload): SignedIn {
  if (typeof claims === 'string') throw badToken();
  const { sub, username, role, exp, iat, jti } = claims as jwt.JwtPayload & { username?: unknown; role?: unknown };
  if (typeof sub !== 'string' || !/^\d{1,19}$/.test(sub) || typeof username !== 'string') throw badToken();
  if (typeof exp !== 'number' || typeof iat !== 'number' || typeof jti !== 'string') throw badToken();
  if (role !== 'member' && role !== 'admin' && role !== 'service') throw badToken();
  return { kind: role === 'service' ? 'service' : 'user', userId: sub, username, role, issuedAt: iat, expiresAt: exp };
}

/** A service's own token, renewed before it ends: what its clients send with every call. */
export function serviceTokens(ring: KeyRing, name: string): () => string {
  let token = '';
  let renewAt = 0;
  return () => {
    if (Date.now() >= renewAt) {
      token = signToken(ring, { userId: '0', username: name, role: 'service' });
      renewAt = Date.now() + (accessTokenSeconds / 2) * 1000;
    }
    return token;
  };
}

/** The token of `Authorization: Bearer …`, or undefined where there is none. @throws AppError for another scheme. */
export function bearer(header: string | undefined): string | undefined {
  if (header === undefined || header === '') return undefined;
  const token = /^Bearer ([^\s]+)$/i.exec(header)?.[1];
  if (token === undefined) throw badToken();
  return token;
}
