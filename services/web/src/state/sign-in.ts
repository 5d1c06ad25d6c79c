/** Who one is here: an account, whose refresh token is a cookie that scripts cannot read, or a guest. */
import { MemoryKeep, ParleyError, type Registration, randomKey, Session } from '@parley/client';
import { kept } from './storage.ts';
import { appState, change, type Me } from './store.ts';

export const origin = location.origin;
export const session = new Session(origin, new MemoryKeep());

/** Whose session there is likely to be, so that strangers are not met with a refused request. */
const signedIn = kept('parley.signed-in');
const guest = kept('parley.guest');

/** Finds out who is here, from the last visit. */
export async function resumeVisit(): Promise<Me | undefined> {
  const name = guest.read();
  if (name) return guestNamed(name);
  if (!signedIn.read()) return undefined;
  try {
    const { user } = await session.refresh();
    signedIn.write(String(user.id));
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

/** @throws ParleyError where the name is blank; one that is taken is refused by the rooms. */
export function comeAsGuest(username: string): Me {
  if (!username) {
    const description = 'say what to call you';
    throw new ParleyError('INVALID_ARGUMENT', description, { fields: [{ field: 'username', description }] });
  }
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
  const { me } = appState();
  // Another tab may have let somebody else in meanwhile: what is his stays.
  if (me?.guest) guest.write('');
  else if (!me || signedIn.read() === me.userId) signedIn.write('');
  change({
    phase: 'signed-out',
    me: undefined,
    notice,
    open: new Map(),
    newFrom: new Map(),
    rooms: [],
    roomsRead: false,
    here: undefined,
  });
}

function account({ id, username }: { id: string; username: string }): Me {
  signedIn.write(String(id));
  guest.write('');
  return { userId: String(id), username, guest: false };
}

/** Tabs share one session: tells when another one has ended it, or begun somebody else's. */
export function watchOtherTabs(ended: (notice: string) => void): void {
  addEventListener('storage', ({ key, newValue }) => {
    const { me } = appState();
    if (key !== signedIn.name || !me || me.guest || newValue === me.userId) return;
    ended(newValue ? 'Somebody else has signed in in another tab.' : 'You logged out in another tab.');
  });
}

function guestNamed(kept: string): Me {
  const at = kept.indexOf(' ');
  return { userId: kept.slice(0, at), username: kept.slice(at + 1), guest: true };
}
