/** Who has no token: a name of his own in open mode, and never that of a registered user. */
import { randomBytes, randomInt } from 'node:crypto';
import { AppError, type RpcClient } from '@parley/kit';
import type { Identity } from '../hub/hub.ts';

export function newGuest(): Identity {
  return { userId: `guest-${randomBytes(8).toString('hex')}`, username: `Guest ${randomInt(1000, 10_000)}` };
}

const rememberedMs = 5000;
const mostRemembered = 10_000;

/** Asks who is registered, and remembers it for 5 s. */
export class Guests {
  readonly #auth: RpcClient<'auth.AuthService'>;
  readonly #serviceToken: () => string;
  readonly #known = new Map<string, { until: number; registered: Promise<boolean> }>();

  constructor(auth: RpcClient<'auth.AuthService'>, serviceToken: () => string) {
    this.#auth = auth;
    this.#serviceToken = serviceToken;
  }

  /** @throws AppError PERMISSION_DENIED where the id or the name is a registered user's */
  async check({ userId, username }: Identity): Promise<void> {
    const key = `${userId}\n${username}`;
    let known = this.#known.get(key);
    if (known === undefined || known.until < Date.now()) {
      if (this.#known.size >= mostRemembered) this.#known.clear();
      known = { until: Date.now() + rememberedMs, registered: this.#lookUp(userId, username) };
      this.#known.set(key, known);
      known.registered.catch(() => this.#known.delete(key));
    }
    if (!(await known.registered)) return;
    throw new AppError(
      'PERMISSION_DENIED',
      'this user_id or username belongs to a registered user: sign in to speak in that name',
    );
  }

  async #lookUp(userId: string, username: string): Promise<boolean> {
    const user_ids = /^[1-9]\d{0,17}$/.test(userId) ? [userId] : [];
    const { users } = await this.#auth.lookupUsers(
      { usernames: [username], user_ids },
      { token: this.#serviceToken() },
    );
    return users.some(({ registered }) => registered);
  }
}
