import { AppError } from '@parley/kit/errors';
import type { ResolvedUser } from '../api/index.ts';
import { monotonicMs } from '../runtime/index.ts';
import type { UserDirectory } from './chat.ts';
import type { Pass } from './pass.ts';
import { UserLookup } from './user-lookup.ts';
import { namesIn } from './wish.ts';

const LOOK_UP_AGAIN_MS = 60_000;

/** Who the names in rooms are, and when those that nobody had are looked up again. */
export class Members {
  readonly #lookup: UserLookup;
  readonly #againAtMs = new Map<string, number>();

  constructor(directory: UserDirectory) {
    this.#lookup = new UserLookup(directory);
  }

  /** Milliseconds until a room's unknown names are looked up again; undefined: nothing is to be looked up. */
  dueInMs(key: string): number | undefined {
    const atMs = this.#againAtMs.get(key);
    return atMs === undefined ? undefined : Math.max(0, atMs - monotonicMs());
  }

  /** Nothing was found, or it was not applied: it is looked up again at the next occasion. */
  forget(key: string): void {
    this.#againAtMs.delete(key);
  }

  /** Those known stay who they were, the others are looked up. Where that fails, the pass has failed. */
  async resolve(pass: Pass): Promise<ResolvedUser[]> {
    const { key, room, outcome } = pass;
    const names = namesIn(room);
    const known = (room.status?.users ?? []).filter(({ username }) => names.includes(username));
    const unknown = names.filter((name) => !known.some(({ username }) => username === name));
    try {
      const ids = await this.#lookup.ids(unknown);
      const found = [...ids].map(([username, id]) => ({ username, id }));
      outcome.users = [...known, ...found].sort((a, b) => (a.username < b.username ? -1 : 1));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      outcome.usersAway = error.message;
      outcome.ready = { status: 'Unknown', reason: 'UsersUnavailable', message: error.message };
      pass.failure = error;
      this.forget(key);
      return known;
    }
    if (outcome.users.length < names.length) this.#againAtMs.set(key, monotonicMs() + LOOK_UP_AGAIN_MS);
    else this.#againAtMs.delete(key);
    return outcome.users;
  }
}
