// biome-ignore-all lint/suspicious/noExplicitAny: what kubectl and HTTP answer is looked at, not typed.
/** Callers that never stop, and what became of their calls; a listener who is moved from pod to pod. */
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@parley/client';
import { http, url } from './cluster.ts';

/** Of a caller, before he reads and speaks again. */
const pauseMs = 150;

export interface Traffic {
  /** Calls so far. */
  readonly calls: number;
  /** Each that was not answered 200. */
  readonly failures: string[];
  /** Contents of messages that were acknowledged. */
  readonly acknowledged: string[];
  stop(): Promise<void>;
}

/**
 * Reads users and rooms, and says things with a key each, until it is stopped; at a pace that leaves the pods something
 * to start with. `retry`: a failed send is sent again with its key.
 */
export function traffic(room: string, token: string, callers = 4, retry = false): Traffic {
  let stopped = false;
  let calls = 0;
  const begunAt = performance.now();
  const failures: string[] = [];
  const acknowledged: string[] = [];
  const note = (what: string, { status, body }: { status: number; body: { detail?: string } }) => {
    calls++;
    const seconds = ((performance.now() - begunAt) / 1000).toFixed(1);
    if (status !== 200) failures.push(`${what} after ${seconds} s: ${status} ${body.detail ?? ''}`);
    return status === 200;
  };
  const caller = async (number: number) => {
    for (let i = 0; !stopped; i++) {
      await sleep(pauseMs);
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

export interface Listener {
  /** Contents as they came, in order: what came twice is here twice. */
  readonly heard: string[];
  /** How often the stream was opened anew, and how often the server said that history was lost. */
  readonly moved: number;
  readonly lost: number;
  stop(): void;
}

/** Listens to a room by WebSocket with the SDK, through every pod that goes. */
export function listener(room: string, token: string): Listener {
  const heard: string[] = [];
  let opened = 0;
  let lost = 0;
  const connection = new Connection({
    url,
    credential: async () => ({ token }),
    onRoom(_state, event) {
      if (event.kind === 'opened') {
        opened++;
        if (event.lost) lost++;
      }
      if (event.kind === 'messages')
        heard.push(...event.messages.filter(({ type }) => type === 'MESSAGE_TYPE_TEXT').map(({ content }) => content));
    },
  });
  connection.start();
  connection.join(room);
  return {
    heard,
    get moved() {
      return Math.max(0, opened - 1);
    },
    get lost() {
      return lost;
    },
    stop: () => connection.stop(),
  };
}
