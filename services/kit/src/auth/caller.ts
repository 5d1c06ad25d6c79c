/** Who calls. */
export type Role = 'member' | 'admin' | 'service';

export interface Guest {
  kind: 'guest';
}

/** A user who is signed in, or a service of ours. */
export interface SignedIn {
  kind: 'user' | 'service';
  /** The decimal User.id; `0` for a service. */
  userId: string;
  username: string;
  role: Role;
  /** When the token was issued and when it ends, in seconds since 1970. */
  issuedAt: number;
  expiresAt: number;
}

export type Caller = Guest | SignedIn;

export const guest: Guest = { kind: 'guest' };

/** Admins and services may act for others. */
export function actsForOthers(caller: Caller): boolean {
  return caller.kind !== 'guest' && caller.role !== 'member';
}

/** Whether the caller's token has ended since: for streams, which outlive the check at their door. */
export function hasExpired(caller: Caller, nowMs = Date.now()): boolean {
  return caller.kind !== 'guest' && caller.expiresAt * 1000 <= nowMs;
}
