/** What the environment says to the client's commands: the only place that reads it. */
import { homedir } from 'node:os';
import { join } from 'node:path';

export interface ClientSettings {
  url: string;
  credentialsFile: string;
  color: boolean;
}

export const defaultUrl = 'http://localhost:8080';

export function readSettings(env: NodeJS.ProcessEnv, isTerminal: boolean): ClientSettings {
  const configHome = env['XDG_CONFIG_HOME'] || join(homedir(), '.config');
  return {
    url: env['PARLEY_URL'] || defaultUrl,
    credentialsFile: join(configHome, 'parley', 'credentials.json'),
    color: isTerminal && !env['NO_COLOR'] && env['TERM'] !== 'dumb',
  };
}
