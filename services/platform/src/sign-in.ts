import { join } from 'node:path';
import { type AuthMode, KeyRing, type Logger, makeKeys, type SettingsOf, StartError, TokenVerifier } from '@parley/kit';
import type { serveSettings } from './settings.ts';

export interface SignIn {
  keys: KeyRing;
  verifier: TokenVerifier;
  mode: AuthMode;
}

/** The signing keys and whether callers need a token. @throws StartError where the keys are missing or cannot be used. */
export function openSignIn(settings: SettingsOf<typeof serveSettings>, alone: boolean, log: Logger): SignIn {
  const mode = settings.auth ?? (alone ? 'required' : 'open');
  if (mode === 'open') log.warn({ setting: 'PARLEY_AUTH' }, 'auth.open_to_anybody');
  let folder = settings.keys;
  if (folder === undefined) {
    if (alone)
      throw new StartError('PARLEY_JWT_KEYS is not set: name the folder of signing keys that all services share');
    folder = join(settings.dataDirectory, 'keys');
    makeKeys(folder);
  }
  const keys = new KeyRing(folder);
  return { keys, verifier: new TokenVerifier(keys), mode };
}
