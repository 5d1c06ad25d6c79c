import { setImmediate } from 'node:timers/promises';
import type { UserDirectory } from './chat.ts';

const MOST_AT_ONCE = 1_000;

/**
 * Finds out who has a name. Lookups that come together go as one call: ten thousand rooms applied at once do not make
 * ten thousand of them.
 */
export class UserLookup {
  readonly #directory: UserDirectory;
  #waiting = new Set<string>();
  #next: Promise<Map<string, string>> | undefined;

  constructor(directory: UserDirectory) {
    this.#directory = directory;
  }

  /** User ids by name, whatever its case; names that nobody has are left out. @throws AppError where the user service does not answer */
  async ids(usernames: readonly string[]): Promise<Map<string, string>> {
    if (usernames.length === 0) return new Map();
    for (const name of usernames) this.#waiting.add(name);
    this.#next ??= this.#ask();
    const found = await this.#next;
    return new Map(
      usernames.flatMap((name) => {
        const id = found.get(name.toLowerCase());
        return id === undefined ? [] : [[name, id]];
      }),
    );
  }

  async #ask(): Promise<Map<string, string>> {
    await setImmediate();
    const names = [...this.#waiting];
    this.#waiting = new Set();
    this.#next = undefined;
    const found = new Map<string, string>();
    for (let from = 0; from < names.length; from += MOST_AT_ONCE) {
      const usernames = names.slice(from, from + MOST_AT_ONCE);
      const { users } = await this.#directory.lookupUsers({ usernames, user_ids: [] });
      for (const { username, user_id } of users) found.set(username.toLowerCase(), user_id);
    }
    return found;
  }
}
