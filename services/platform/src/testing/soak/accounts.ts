/** Users who are made and looked up at a steady rate, and are all there at the end. */
import { Database, type RpcClient, silentLog } from '@parley/kit';
import { sql } from 'kysely';
import { pause } from './patience.ts';
import { steadily } from './steadily.ts';
import type { Tally } from './tally.ts';

const giveUpMs = 120_000;
const callTimeoutMs = 5000;
const prefix = 'made-';

/** Makes users until the signal. @returns the names of those that were acknowledged */
export async function makeUsers(
  users: RpcClient<'user.UserService'>[],
  token: () => string,
  perSecond: number,
  tally: Tally,
  signal: AbortSignal,
): Promise<Set<string>> {
  const made = new Set<string>();
  const any = () => users[Math.floor(Math.random() * users.length)] as RpcClient<'user.UserService'>;
  const settings = () => ({ timeoutMs: callTimeoutMs, token: token() });
  async function one(number: number): Promise<void> {
    const username = `${prefix}${number}`;
    const request = { username, email: `${username}@example.com`, full_name: username };
    let tries = 0;
    for (const end = Date.now() + giveUpMs; Date.now() < end; await pause(100 + Math.random() * 400)) {
      try {
        tries++;
        const { user } = await any().createUser(request, settings());
        made.add(username);
        tally.add('users made');
        await lookUp(user!.id, username);
        return;
      } catch (error) {
        // An answer that was lost: he had been made.
        const { code } = error as { code: string };
        if (tries > 1 && code === 'ALREADY_EXISTS') return void made.add(username);
        if (!tally.failed('CreateUser', error)) return;
      }
    }
    throw new Error(`not made within ${giveUpMs / 1000} s`);
  }
  async function lookUp(id: string, username: string): Promise<void> {
    try {
      const { user } = await any().getUser({ id }, settings());
      if (user?.username !== username) tally.wrong(`user ${id} was made as ${username} and is ${user?.username}`);
    } catch (error) {
      tally.failed('GetUser', error);
    }
  }
  await steadily('a user', perSecond, one, tally, signal);
  return made;
}

export async function checkUsers(url: string, made: Set<string>, tally: Tally): Promise<void> {
  await using database = await Database.open({ url, log: silentLog });
  const { rows } = await sql<{ username: string }>`
    select username from users.account where username like ${`${prefix}%`}`.execute(database.as());
  const there = new Set(rows.map(({ username }) => username));
  for (const username of made) if (!there.has(username)) tally.wrong(`${username} was made and is not there`);
}
