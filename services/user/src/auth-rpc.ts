/** auth.AuthService: register, sign in and out, and what services ask about users. */
import { AppError, addressOf, type CallContext, implement, invalidFields, type ServedService } from '@parley/kit';
import type { Accounts } from './accounts.ts';
import type { Passwords } from './passwords.ts';
import { type Revocations, tooSlow } from './revocations.ts';
import type { Sessions } from './sessions.ts';
import type { SignInLimits } from './sign-in-limits.ts';
import { checkFields, isUsername } from './validation.ts';

export interface AuthParts {
  accounts: Accounts;
  sessions: Sessions;
  passwords: Passwords;
  revocations: Revocations;
  limits: SignInLimits;
}

const mostLookedUp = 1000;
/** Revocations that a watcher may be behind. */
const mostPending = 10_000;

export function authService({ accounts, sessions, passwords, revocations, limits }: AuthParts): ServedService {
  const turnOf = ({ peer, signal }: CallContext) => ({ address: addressOf(peer), signal });

  return implement(
    'auth.AuthService',
    {
      register: 'anyone',
      login: 'anyone',
      refresh: 'anyone',
      logout: 'anyone',
      watchRevocations: 'service',
      lookupUsers: 'service',
    },
    {
      async register({ username, email, full_name, password }, context) {
        const turn = turnOf(context);
        limits.fromAddress(turn.address);
        checkFields({ username, email, full_name, password });
        const password_hash = await passwords.hash(password, turn);
        return sessions.begin(await accounts.create({ username, email, full_name, password_hash, role: 'member' }));
      },

      async login({ username, password }, context) {
        const turn = turnOf(context);
        limits.fromAddress(turn.address);
        required({ username, password });
        // A name that nobody can have is not worth remembering, and takes as long as one that nobody has.
        const possible = isUsername(username);
        if (possible) limits.asUsername(username, turn.address);
        const found = possible ? await sessions.find(username) : undefined;
        const hash = found?.passwordHash ?? undefined;
        if (!(await passwords.verify(hash, password, turn)) || found === undefined || hash === undefined) throw wrong();
        limits.succeeded(username, turn.address);
        if (passwords.isOutdated(hash))
          await sessions.rehash(found.account.id, hash, await passwords.hash(password, turn));
        return sessions.begin(found.account);
      },

      async refresh({ refresh_token }, context) {
        limits.fromAddress(addressOf(context.peer));
        required({ refresh_token });
        return sessions.refresh(refresh_token);
      },

      async logout({ refresh_token }, { caller, peer }) {
        limits.fromAddress(addressOf(peer));
        if (refresh_token !== '') await sessions.end(refresh_token);
        else if (caller.kind === 'user') await sessions.endAll(caller.userId);
        else required({ refresh_token });
        return {};
      },

      async watchRevocations(_request, { signal, caller }, out) {
        await new Promise<never>((_, reject) => {
          const end = (reason: unknown) => {
            stop();
            reject(reason);
          };
          const stop = revocations.watch(({ userId, issuedBefore }) => {
            out.write({ user_id: userId, issued_before: issuedBefore.toISOString() });
            if (out.pendingWrites > mostPending) queueMicrotask(() => end(tooSlow()));
            // An admin who watches is told of his own end, and then it is the end.
            if (caller.kind === 'user' && caller.userId === userId && caller.issuedAt * 1000 < issuedBefore.getTime())
              queueMicrotask(() => end(signedOut()));
          });
          if (signal.aborted) end(signal.reason);
          signal.addEventListener('abort', () => end(signal.reason), { once: true });
        });
      },

      async lookupUsers({ usernames, user_ids }) {
        if (usernames.length + user_ids.length > mostLookedUp) {
          const description = `and user_ids are ${usernames.length + user_ids.length}; at most ${mostLookedUp} together are allowed`;
          throw invalidFields([{ field: 'usernames', description }]);
        }
        const found = await accounts.lookUp(usernames.filter(isUsername), user_ids);
        return { users: found.map(({ id, username, registered }) => ({ user_id: id, username, registered })) };
      },
    },
  );
}

/** One constant message, whoever exists or not. */
const wrong = () => new AppError('UNAUTHENTICATED', 'the username or the password is wrong');
const signedOut = () => new AppError('UNAUTHENTICATED', 'you were signed out: sign in again');

/** @throws AppError INVALID_ARGUMENT that names the fields that are empty. */
function required(fields: Record<string, string>): void {
  const empty = Object.entries(fields).filter(([, value]) => value === '');
  if (empty.length > 0)
    throw invalidFields(empty.map(([field]) => ({ field, description: 'is empty; it is required' })));
}
