import { from, type Setting, type SettingsOf, StartError, setting } from '@parley/kit';
import { rules } from './validation.ts';

function allowedBy(rule: (value: string) => string | undefined): Setting<string | undefined>['schema'] {
  return from.optional().superRefine((value, context) => {
    const wrong = value === undefined ? undefined : rule(value);
    if (wrong !== undefined) context.addIssue({ code: 'custom', message: wrong.replace(/^.*; /s, '') });
  });
}

export const userSettings = {
  adminUsername: setting(
    'PARLEY_ADMIN_USERNAME',
    allowedBy(rules.username),
    'the first admin, made at start when there is none',
  ),
  adminPassword: setting('PARLEY_ADMIN_PASSWORD', allowedBy(rules.password), "the first admin's password"),
  passwordMemoryKib: setting(
    'PARLEY_ARGON2_MEMORY_KIB',
    from.integer(19_456, 1024, 1_048_576),
    'memory that hashing one password takes (argon2id, 2 passes)',
    '19456',
  ),
  signInsPerUsername: setting(
    'PARLEY_SIGN_INS_PER_USERNAME',
    from.integer(10, 1, 1_000_000),
    'failed sign-ins a minute for one username from one address (from all: 20 times as many), per process',
    '10',
  ),
  signInsPerAddress: setting(
    'PARLEY_SIGN_INS_PER_ADDRESS',
    from.integer(300, 1, 1_000_000),
    'sign-ins a minute from one address (IPv6: /64), per process',
    '300',
  ),
  sessionDays: setting(
    'PARLEY_SESSION_DAYS',
    from.integer(30, 1, 3650),
    'days after which a refresh token that is not used ends',
    '30',
  ),
  nameReleaseDays: setting(
    'PARLEY_NAME_RELEASE_DAYS',
    from.integer(30, 0, 36_500),
    "days before a deleted user's name is free",
    '30',
  ),
};

export type UserSettings = SettingsOf<typeof userSettings>;

export interface FirstAdmin {
  username: string;
  password: string;
}

/** @throws StartError where only one of the two is set. */
export function firstAdminOf({
  adminUsername,
  adminPassword,
}: Pick<UserSettings, 'adminUsername' | 'adminPassword'>): FirstAdmin | undefined {
  if (adminUsername !== undefined && adminPassword !== undefined)
    return { username: adminUsername, password: adminPassword };
  if (adminUsername === undefined && adminPassword === undefined) return undefined;
  const [has, lacks] =
    adminUsername === undefined
      ? ['PARLEY_ADMIN_PASSWORD', 'PARLEY_ADMIN_USERNAME']
      : ['PARLEY_ADMIN_USERNAME', 'PARLEY_ADMIN_PASSWORD'];
  throw new StartError(`${has} is set and ${lacks} is not: set both, or none`);
}
