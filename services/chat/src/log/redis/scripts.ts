/** The log's Lua scripts: each is one atomic step and one round trip. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { inSpan, SpanKind, tracingEnabled } from '@parley/kit';
import { askTogether, type Connection, translate } from './connection.ts';

const lua = (name: string) => readFileSync(new URL(`./${name}.lua`, import.meta.url), 'utf8');
const store = lua('store');

export interface Script {
  /** Of its file, for traces. */
  name: string;
  source: string;
  sha: string;
}

const script = (name: string, source = lua(name)): Script => ({
  name,
  source,
  sha: createHash('sha1').update(source).digest('hex'),
});
const ofRoom = (name: string) => script(name, `${store}\n${lua(name)}`);

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
  lease: script('lease'),
  leases: script('leases'),
  markRead: script('mark-read'),
};

/**
 * Runs a script. A Redis that does not know it (it was started anew) has done nothing, and is sent the source.
 * @throws AppError UNAVAILABLE while Redis is away; whether the step was taken is unknown then.
 */
export function run<Answer>(
  connection: Connection,
  script: Script,
  keys: string[],
  args: (string | number | Buffer)[],
): Promise<Answer> {
  if (!tracingEnabled()) return evaluate(connection, script, keys, args);
  const attributes = { 'db.system': 'redis', 'db.operation.name': script.name };
  return inSpan(`redis ${script.name}`, attributes, () => evaluate<Answer>(connection, script, keys, args), {
    kind: SpanKind.CLIENT,
  });
}

async function evaluate<Answer>(
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
