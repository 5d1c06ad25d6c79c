/** Who may call a method at all; finer rules are the handlers'. */
import type { Caller } from '../auth/caller.ts';
import { AppError } from '../errors.ts';

/**
 * - `anyone`: whatever PARLEY_AUTH says;
 * - `open`: anyone where PARLEY_AUTH is open, else who is signed in;
 * - `signed-in`: users and services;
 * - `service`: services and admins.
 */
export type Access = 'anyone' | 'open' | 'signed-in' | 'service';

export type AuthMode = 'open' | 'required';

/** @throws AppError UNAUTHENTICATED or PERMISSION_DENIED. */
export function checkAccess(access: Access, mode: AuthMode, caller: Caller): void {
  if (access === 'anyone' || (access === 'open' && mode === 'open')) return;
  if (caller.kind === 'guest') {
    throw new AppError('UNAUTHENTICATED', 'sign in first: send the access token as authorization: Bearer <token>');
  }
  if (access === 'service' && caller.role === 'member') {
    throw new AppError('PERMISSION_DENIED', 'this method is for services and admins');
  }
}
