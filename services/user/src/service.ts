import type { AuthMode, Database, KeyRing, Logger, Metrics, Service, TokenVerifier } from '@parley/kit';
import { Accounts } from './accounts.ts';
import { authService } from './auth-rpc.ts';
import { makeFirstAdmin } from './first-admin.ts';
import { Passwords } from './passwords.ts';
import { Revocations } from './revocations.ts';
import { Sessions } from './sessions.ts';
import { firstAdminOf, type UserSettings } from './settings.ts';
import { SignInLimits } from './sign-in-limits.ts';
import { userService } from './users-rpc.ts';

export interface UserServiceParts {
  /** Migrated to `userSchema`. */
  database: Database;
  /** What access tokens are signed with. */
  keys: KeyRing;
  /** The verifier of the server that this service runs on: it is told of revocations at once. */
  verifier: TokenVerifier;
  settings: UserSettings;
  log: Logger;
  metrics: Metrics;
  /** The kit's server refuses guests where it is `required`; the rules in here are those for whoever it lets pass. */
  authMode: AuthMode;
}

const dayMs = 86_400_000;
const tidyEveryMs = 3_600_000;

/**
 * Builds user.UserService and auth.AuthService.
 * @throws StartError for settings that contradict each other; AppError UNAVAILABLE where the database is away.
 */
export async function createUserService(parts: UserServiceParts): Promise<Service> {
  const { database, keys, verifier, settings, log, metrics } = parts;
  const admin = firstAdminOf(settings);
  const batches = metrics.histogram(
    'user_batch_calls',
    'Calls that travelled to the database as one statement.',
    ['operation'],
    [1, 2, 5, 10, 20, 50, 100, 200, 500],
  );
  const accounts = new Accounts(database, {
    nameReleaseMs: settings.nameReleaseDays * dayMs,
    observeBatch: (operation, size) => batches.observe({ operation }, size),
  });
  const passwords = new Passwords(settings.passwordMemoryKib);
  if (admin) await makeFirstAdmin(admin, { database, accounts, passwords, log });
  const revocations = await Revocations.open({ database, verifier, log });
  const sessions = new Sessions({ database, keys, revocations, sessionMs: settings.sessionDays * dayMs });
  const limits = new SignInLimits(settings);
  const tidying = everyNow(
    tidyEveryMs,
    async () => {
      await accounts.releaseNames();
      await sessions.forgetExpired();
    },
    (error) => log.warn({ err: error }, 'users.not_tidied'),
  );

  return {
    rpc: [userService(accounts, revocations), authService({ accounts, sessions, passwords, revocations, limits })],
    checks: [{ name: 'database', check: () => database.check() }],
    async [Symbol.asyncDispose]() {
      await tidying[Symbol.asyncDispose]();
      await revocations[Symbol.asyncDispose]();
    },
  };
}

/** Does the work every so often until it is disposed of; what is under way then is waited for. */
function everyNow(intervalMs: number, work: () => Promise<void>, failed: (error: unknown) => void): AsyncDisposable {
  let underWay: Promise<void> | undefined;
  const timer = setInterval(() => {
    underWay ??= work()
      .catch(failed)
      .finally(() => {
        underWay = undefined;
      });
  }, intervalMs);
  timer.unref();
  return {
    async [Symbol.asyncDispose]() {
      clearInterval(timer);
      await underWay;
    },
  };
}
