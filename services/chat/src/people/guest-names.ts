/** Whether a guest's id or name belongs to somebody with a password: asked in batches, remembered for five seconds. */
import { AppError, type RpcClient, unavailable } from '@parley/kit';

const rememberMs = 5000;
/** What auth.AuthService/LookupUsers takes at once. */
const mostAtOnce = 1000;
const mostRemembered = 50_000;

interface Known {
  taken: boolean;
  untilMs: number;
}

interface Question {
  userIds: Set<string>;
  usernames: Set<string>;
  answered: Promise<void>;
}

export class GuestNames {
  readonly #users: Pick<RpcClient<'auth.AuthService'>, 'lookupUsers'>;
  readonly #ids = new Map<string, Known>();
  readonly #names = new Map<string, Known>();
  #next: Question | undefined;

  constructor(users: Pick<RpcClient<'auth.AuthService'>, 'lookupUsers'>) {
    this.#users = users;
  }

  /**
   * Nothing where a guest may go by these; a promise while that is not known.
   * @throws AppError PERMISSION_DENIED for those of a user with a password.
   */
  check(userId: string, username: string): undefined | Promise<void> {
    const now = Date.now();
    const id = isUserId(userId) ? recall(this.#ids, userId, now) : free;
    const name = username === '' ? free : recall(this.#names, username, now);
    if (id?.taken) throw taken('user_id', userId);
    if (name?.taken) throw taken('username', username);
    if (id && name) return undefined;
    return this.#ask(id ? '' : userId, name ? '' : username).then(() => this.check(userId, username));
  }

  /** Everybody who asks within one turn of the event loop shares a call. */
  #ask(userId: string, username: string): Promise<void> {
    let question = this.#next;
    if (question === undefined || question.userIds.size + question.usernames.size + 2 > mostAtOnce) {
      const asked: Omit<Question, 'answered'> = { userIds: new Set(), usernames: new Set() };
      const answered = new Promise<void>((resolve) => setImmediate(resolve)).then(() => {
        if (this.#next?.userIds === asked.userIds) this.#next = undefined;
        return this.#look(asked.userIds, asked.usernames);
      });
      question = { ...asked, answered };
      this.#next = question;
    }
    if (userId !== '') question.userIds.add(userId);
    if (username !== '') question.usernames.add(username);
    return question.answered;
  }

  async #look(userIds: Set<string>, usernames: Set<string>): Promise<void> {
    const answer = await this.#users
      .lookupUsers({ user_ids: [...userIds], usernames: [...usernames] }, { timeoutMs: 3000 })
      .catch((error: unknown) => {
        throw unavailable('guests cannot be let in while the user service is away: sign in, or try again', 1000, error);
      });
    const registered = answer.users.filter((user) => user.registered);
    const ids = new Set(registered.map((user) => user.user_id));
    const names = new Set(registered.map((user) => user.username.toLowerCase()));
    const untilMs = Date.now() + rememberMs;
    for (const id of userIds) remember(this.#ids, id, { taken: ids.has(id), untilMs });
    for (const name of usernames) remember(this.#names, name, { taken: names.has(name.toLowerCase()), untilMs });
  }
}

const free: Known = { taken: false, untilMs: Number.POSITIVE_INFINITY };

const isUserId = (text: string) => /^[1-9]\d{0,18}$/.test(text) && BigInt(text) < 2n ** 63n;

function recall(known: Map<string, Known>, key: string, now: number): Known | undefined {
  const found = known.get(key);
  return found && found.untilMs > now ? found : undefined;
}

function remember(known: Map<string, Known>, key: string, value: Known): void {
  if (known.size >= mostRemembered) known.clear();
  known.set(key, value);
}

const taken = (field: string, value: string) =>
  new AppError('PERMISSION_DENIED', `${field} ${JSON.stringify(value)} is a registered user's: sign in as that user`, {
    reason: 'NAME_TAKEN',
  });
