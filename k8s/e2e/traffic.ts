// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
/** Callers that never stop, and what became of their calls. */
import { http } from './cluster.ts';

export interface Traffic {
  /** Calls so far. */
  readonly calls: number;
  /** Each that was not answered 200. */
  readonly failures: string[];
  /** Contents of messages that were acknowledged. */
  readonly acknowledged: string[];
  stop(): Promise<void>;
}

/** Reads users and rooms, and says things with a key each, until it is stopped. `retry`: a failed send is sent again with its key. */
export function traffic(room: string, token: string, callers = 4, retry = false): Traffic {
  let stopped = false;
  let calls = 0;
  const failures: string[] = [];
  const acknowledged: string[] = [];
  const note = (what: string, { status, body }: { status: number; body: { detail?: string } }) => {
    calls++;
    if (status !== 200) failures.push(`${what}: ${status} ${body.detail ?? ''}`);
    return status === 200;
  };
  const caller = async (number: number) => {
    for (let i = 0; !stopped; i++) {
      note('users', await http('GET', '/v1/users?page_size=1', undefined, token));
      note('room', await http('GET', `/v1/rooms/${room}`, undefined, token));
      const content = `${number}-${i}`;
      const send = async () =>
        note('send', await http('POST', `/v1/rooms/${room}/messages`, { content, idempotency_key: content }, token));
      let sent = await send();
      while (!sent && retry && !stopped) sent = await send();
      if (sent) acknowledged.push(content);
    }
  };
  const all = Promise.all(Array.from({ length: callers }, (_, number) => caller(number)));
  return {
    get calls() {
      return calls;
    },
    failures,
    acknowledged,
    async stop() {
      stopped = true;
      await all;
    },
  };
}

/** Every content that a room keeps, in order. */
export async function contents(room: string, token: string): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  const { body: info } = await http('GET', `/v1/rooms/${room}`, undefined, token);
  const epoch = String(info.room.cursor).split('-')[0];
  for (cursor = `${epoch}-0`; ; ) {
    const { body } = await http('GET', `/v1/rooms/${room}/messages?limit=200&after=${cursor}`, undefined, token);
    found.push(...body.messages.filter((m: any) => m.type === 'MESSAGE_TYPE_TEXT').map((m: any) => m.content));
    if (body.messages.length === 0 || body.cursor === cursor) return found;
    cursor = body.cursor;
  }
}
