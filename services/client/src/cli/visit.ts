/** One run of a command: which server, and as whom. */
import { type Api, createApi } from '../api.ts';
import type { Credential } from '../link.ts';
import { ParleyError } from '../problem.ts';
import { randomKey } from '../random-key.ts';
import { Session } from '../session.ts';
import { FileKeep } from './credentials.ts';
import { CommandError } from './exit.ts';
import { type ClientSettings, readSettings } from './settings.ts';

export interface VisitOptions {
  url?: string;
  /** Come as a guest of this name, signed in or not. */
  name?: string;
}

export interface Visit {
  origin: string;
  settings: ClientSettings;
  session: Session;
  api: Api;
  /** Absent for somebody who is signed in. */
  guest?: { userId: string; username: string };
  /** The name that others see; empty for somebody who only looks. */
  username: string;
  credential: (refused: boolean) => Promise<Credential>;
}

export async function visit(options: VisitOptions): Promise<Visit> {
  const settings = readSettings(process.env, process.stdout.isTTY);
  const origin = originOf(options.url ?? settings.url);
  const keep = new FileKeep(settings.credentialsFile, origin);
  const session = new Session(origin, keep);
  const kept = options.name === undefined ? await keep.load() : undefined;
  const guest = kept ? undefined : { userId: `guest-${randomKey().slice(0, 8)}`, username: options.name ?? '' };
  const credential = async (refused: boolean) => {
    if (kept) return session.credential(refused);
    if (refused) throw new ParleyError('UNAUTHENTICATED', `${origin} wants you to be signed in`);
    return { token: '' };
  };
  const api = createApi(origin, async () => (await credential(false)).token);
  return {
    origin,
    settings,
    session,
    api,
    credential,
    username: kept?.user.username ?? options.name ?? '',
    ...(guest ? { guest } : {}),
  };
}

/** @throws CommandError for somebody who is neither signed in nor named. */
export function mustHaveName({ username }: Visit): void {
  if (!username) throw new CommandError('say who you are: `parley login`, or --name <name> to come as a guest');
}

function originOf(url: string): string {
  const parsed = URL.canParse(url) ? new URL(url) : undefined;
  if (parsed?.protocol !== 'http:' && parsed?.protocol !== 'https:')
    throw new CommandError(`--url is ${JSON.stringify(url)}; an address such as http://localhost:8080 is wanted`);
  return parsed.origin;
}
