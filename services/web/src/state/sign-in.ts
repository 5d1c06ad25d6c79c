/** Who one is here: an account, whose refresh token is a cookie that scripts cannot read, or a guest. */
import { MemoryKeep, ParleyError, type Registration, randomKey, Session } from '@parley/client';
import { kept } from './storage.ts';
import { change, type Me } from './store.ts';

export const origin = location.origin;
export const session = new Session(origin, new MemoryKeep());

/** Set while a session is likely, so that strangers are not met with a refused request. */
const signedIn = kept('parley.signed-in');
const guest = kept('parley.guest');

/** Finds out who is here, from the last visit. */
export async function resumeVisit(): Promise<Me | undefined> {
  const name = guest.read();
  if (name) return guestNamed(name);
  if (!signedIn.read()) return undefined;
  try {
    const { user } = await session.refresh();
    return { userId: String(user.id), username: user.username, guest: false };
  } catch (error) {
    if (error instanceof ParleyError && error.code === 'UNAUTHENTICATED') signedIn.write('');
    throw error;
  }
}

export async function register(registration: Registration): Promise<Me> {
  return account(await session.register(registration));
}

export async function login(username: string, password: string): Promise<Me> {
  return account(await session.login(username, password));
}

export function comeAsGuest(username: string): Me {
  const name = `guest-${randomKey().slice(0, 8)} ${username}`;
  guest.write(name);
  return guestNamed(name);
}

/** Leaves, and remembers nothing. */
export async function leave(me: Me | undefined): Promise<void> {
  forget();
  // Whether or not the server hears it, this page has forgotten the session.
  if (me && !me.guest) await session.logout().catch(() => {});
}

export function forget(notice?: string): void {
  signedIn.write('');
  guest.write('');
  change({
    phase: 'signed-out',
    me: undefined,
    notice,
    open: new Map(),
    newFrom: new Map(),
    rooms: [],
    roomsRead: false,
  });
}

function account({ id, username }: { id: string; username: string }): Me {
  signedIn.write('yes');
  guest.write('');
  return { userId: String(id), username, guest: false };
}

function guestNamed(kept: string): Me {
  const at = kept.indexOf(' ');
  return { userId: kept.slice(0, at), username: kept.slice(at + 1), guest: true };
}
