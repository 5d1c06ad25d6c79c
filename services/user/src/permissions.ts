/** Who may do what with users: the table of the contract, as functions of who calls and whom it is about. */
import { AppError, type Caller } from '@parley/kit';
import type { Account } from './account.ts';

const isAdmin = (caller: Caller): boolean => caller.kind === 'user' && caller.role === 'admin';
const isSelf = (caller: Caller, id: string): boolean => caller.kind === 'user' && caller.userId === id;

/** Guests get here in open mode only. @throws AppError PERMISSION_DENIED. */
export function mayCreate(caller: Caller): void {
  if (caller.kind === 'guest' || isAdmin(caller)) return;
  throw denied('only admins create users: others register with auth.AuthService/Register');
}

/** What can be told before the user is read. @throws AppError PERMISSION_DENIED. */
export function mayChange(caller: Caller, id: string): void {
  if (caller.kind === 'guest' || isAdmin(caller) || isSelf(caller, id)) return;
  throw denied(`user ${id} is another user: only he and admins may change him`);
}

/** Whether mayChange says all there is to say, or mayChangeAccount has to look at the user. */
export const changesUnregisteredOnly = (caller: Caller): boolean => caller.kind === 'guest';

/** @throws AppError PERMISSION_DENIED for a guest where the user has a password. */
export function mayChangeAccount(caller: Caller, account: Account): void {
  if (changesUnregisteredOnly(caller) && account.registered)
    throw denied(`user ${account.id} has a password: sign in as him, or as an admin`);
}

/**
 * Users without a password belong to whoever came without a token, in open mode: the published client reads back what
 * it wrote. Everybody else's address is for himself and admins.
 */
export function seesEmail(caller: Caller, account: Account): boolean {
  if (caller.kind === 'guest') return !account.registered;
  return isAdmin(caller) || isSelf(caller, account.id);
}

const denied = (message: string) => new AppError('PERMISSION_DENIED', message);
