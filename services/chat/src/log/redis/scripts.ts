/** The log's Lua scripts: each is one atomic step and one round trip. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { askTogether, type Connection, translate } from './connection.ts';

const lua = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
const store = lua('store');

export interface Script {
  source: string;
  sha: string;
}

const script = (source: string): Script => ({ source, sha: createHash('sha1').update(source).digest('hex') });
const ofRoom = (name: string) => script(`${store}\n${lua(name)}`);

export const scripts = {
  append: ofRoom('append'),
  enter: ofRoom('enter'),
  leave: ofRoom('leave'),
  read: ofRoom('read'),
  blank: ofRoom('blank'),
  putRoom: ofRoom('put-room'),
  deleteRoom: ofRoom('delete-room'),
  summary: ofRoom('summary'),
  unread: ofRoom('unread'),
  lease: script(lua('lease')),
  leases: script(lua('leases')),
  markRead: script(lua('mark-read')),
};

/**
 * Runs a script. A Redis that does not know it (it was started anew) has done nothing, and is sent the source.
 * @throws AppError UNAVAILABLE while Redis is away; whether the step was taken is unknown then.
 */
export async function run<Answer>(
  connection: Connection,
  { sha, source }: Script,
  keys: string[],
  args: (string | number | Buffer)[],
): Promise<Answer> {
  askTogether(connection);
  try {
    try {
      return (await connection.callBuffer('evalsha', sha, keys.length, ...keys, ...args)) as Answer;
    } catch (error) {
      if (!(error instanceof Error) || !error.message.startsWith('NOSCRIPT')) throw error;
      return (await connection.callBuffer('eval', source, keys.length, ...keys, ...args)) as Answer;
    }
  } catch (error) {
    throw translate(error);
  }
}
