/** Somebody with an account, who stays signed in whatever happens. */
import { type Credential, isPassing, ParleyError, Session, type TokenKeep, type Tokens } from '@parley/client';
import { pause } from './patience.ts';
import type { Tally } from './tally.ts';

const password = 'correct horse battery staple';
const registerWithinMs = 60_000;

export class Person {
  readonly username: string;
  readonly id: string;
  readonly #session: Session;
  readonly #tally: Tally;

  private constructor(username: string, id: string, session: Session, tally: Tally) {
    this.username = username;
    this.id = id;
    this.#session = session;
    this.#tally = tally;
  }

  static async register(origin: string, username: string, tally: Tally): Promise<Person> {
    const session = new Session(origin, new Keep());
    for (const end = Date.now() + registerWithinMs; ; await pause(200)) {
      try {
        const email = `${username}@example.com`;
        const { id } = await session.register({ username, email, full_name: username, password });
        return new Person(username, id, session, tally);
      } catch (error) {
        const { code } = error as ParleyError;
        // Its answer was too late for the last try.
        if (code === 'ALREADY_EXISTS') {
          const { id } = await session.login(username, password);
          return new Person(username, id, session, tally);
        }
        // The gateway needs a moment to find the services that started beside it.
        if (Date.now() > end || !isPassing(code)) throw error;
      }
    }
  }

  readonly credential = async (refused = false): Promise<Credential> => {
    try {
      return await this.#session.credential(refused);
    } catch (error) {
      if (!(error instanceof ParleyError) || error.code !== 'UNAUTHENTICATED') throw error;
      // An answer to a refresh was lost, and its token works once: one signs in again, as in any other program.
      this.#tally.add('signed in again');
      await this.#session.login(this.username, password);
      return this.#session.credential();
    }
  };

  readonly token = async (): Promise<string> => (await this.credential()).token;
}

class Keep implements TokenKeep {
  #tokens: Tokens | undefined;

  async load() {
    return this.#tokens;
  }

  async save(tokens: Tokens | undefined) {
    this.#tokens = tokens;
  }

  /** One session has one keep, and shares its own refreshes. */
  exclusive<Result>(work: () => Promise<Result>): Promise<Result> {
    return work();
  }
}
