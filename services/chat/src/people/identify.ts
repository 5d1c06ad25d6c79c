/** Who acts in a room: the caller himself, or whom a service or an admin names. */
import { AppError, actsForOthers, type Caller } from '@parley/kit';
import type { Actor } from '../rooms/access.ts';
import { checkNames } from '../rooms/rules.ts';
import type { GuestNames } from './guest-names.ts';

export interface Named {
  user_id: string;
  username: string;
}

/**
 * The actor for a caller who names these; a promise while a guest's name is looked up.
 * @throws AppError INVALID_ARGUMENT, or PERMISSION_DENIED where a caller names somebody else.
 */
export function identify(guests: GuestNames, caller: Caller, named: Named): Actor | Promise<Actor> {
  const { user_id: userId, username } = named;
  if (caller.kind === 'guest') {
    checkNames(username === '' ? { user_id: userId } : { user_id: userId, username });
    const actor: Actor = { userId, username: username || userId, standing: 'guest' };
    const asked = guests.check(userId, actor.username);
    return asked === undefined ? actor : asked.then(() => actor);
  }
  if (actsForOthers(caller) && userId !== '' && userId !== caller.userId) {
    checkNames(username === '' ? { user_id: userId } : { user_id: userId, username });
    return { userId, username: username || userId, standing: 'member' };
  }
  if (!actsForOthers(caller)) {
    if (userId !== '' && userId !== caller.userId) throw notYou('user_id', userId, caller.userId);
    if (username !== '' && username !== caller.username) throw notYou('username', username, caller.username);
  }
  return self(caller);
}

/** The caller as himself, where no one is named. Guests are nobody in particular. */
export function self(caller: Caller): Actor {
  if (caller.kind === 'guest') return { userId: '', username: '', standing: 'guest' };
  const standing = actsForOthers(caller) ? 'privileged' : 'member';
  return { userId: caller.userId, username: caller.username, standing };
}

/** @throws AppError UNAUTHENTICATED for guests. */
export function signedIn(caller: Caller): Exclude<Caller, { kind: 'guest' }> {
  if (caller.kind === 'guest') {
    throw new AppError('UNAUTHENTICATED', 'sign in first: send the access token as authorization: Bearer <token>');
  }
  return caller;
}

const notYou = (field: string, value: string, own: string) =>
  new AppError(
    'PERMISSION_DENIED',
    `${field} is ${JSON.stringify(value.slice(0, 140))}; your token says ${JSON.stringify(own)}: leave it empty`,
  );
