import type { User } from '@parley/proto/user/User';

/** A user as the service knows him. */
export interface Account {
  id: string;
  username: string;
  /** Null for a first admin, who has none. */
  email: string | null;
  full_name: string;
  role: 'member' | 'admin';
  /** Has a password, so that nobody may act under this name without a token. */
  registered: boolean;
  created_at: Date;
  updated_at: Date;
}

/** A user as the API shows him. @param withEmail false blanks the address. */
export function shownUser(account: Account, withEmail: boolean): User {
  return {
    id: account.id,
    username: account.username,
    email: withEmail ? (account.email ?? '') : '',
    full_name: account.full_name,
    created_at: account.created_at.toISOString(),
    updated_at: account.updated_at.toISOString(),
  };
}
