/** Who listens to a room from before the first message to after the last, through whatever breaks; all goes into the history. */
import type { History, Seen } from '@parley/chat/testing/history';
import { type ChatMessage, Connection, type RoomState, sequenceOf } from '@parley/client';
import type { RpcClient } from '@parley/kit';
import type { ChatMessage__Output } from '@parley/proto/chat/ChatMessage';
import { pause } from './patience.ts';
import type { Person } from './person.ts';
import type { Tally } from './tally.ts';
import { named } from './texts.ts';

export interface Listener {
  name: string;
  room: string;
  /** Resolves when the room is open for the first time. */
  opened: Promise<void>;
  /** Says something in the room and resolves when it is acknowledged. Only who has a WebSocket can. */
  say?: (content: string, key: string) => Promise<{ id: string; epoch: string; sequence: number }>;
  stop(): Promise<void>;
}

export interface ListenerParts {
  name: string;
  room: string;
  person: Person;
  history: History;
  tally: Tally;
}

const seen = (room: string, message: ChatMessage | ChatMessage__Output): Seen => ({
  room,
  id: message.id,
  epoch: message.epoch,
  sequence: Number(message.sequence),
  content: named(message.content),
});

/** By the SDK, over a WebSocket: what a person sees on his screen. */
export function listenByWebSocket(url: string, { name, room, person, history, tally }: ListenerParts): Listener {
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  const answers = new Map<string, { resolve: (answer: never) => void; reject: (error: Error) => void }>();
  let last = { epoch: '', sequence: 0 };
  const take = ({ epoch, messages }: RoomState) => {
    const known = messages.findLastIndex((one) => epoch === last.epoch && sequenceOf(one) <= last.sequence);
    for (const message of messages.slice(known + 1)) {
      history.delivered(name, seen(room, message));
      last = { epoch, sequence: sequenceOf(message) };
    }
  };
  history.reader(name);
  const connection = new Connection({
    url,
    credential: person.credential,
    onState: (state) => {
      if (state.status === 'waiting') tally.add('WebSockets lost');
      if (state.status === 'signed-out') tally.wrong(`${name} was signed out: ${state.reason}`);
    },
    onRoom: (state, event) => {
      if (event.kind === 'opened') {
        if (event.lost) history.historyLost(name, event.lost);
        resolve();
      }
      if (event.kind === 'messages') take(state);
      if (event.kind === 'refused') tally.failed('a subscription', event.error);
      if (event.kind === 'failed') answers.get(event.key)?.reject(new Error(event.error.message));
      if (event.kind !== 'acknowledged') return;
      const { message_id: id, epoch, sequence } = event.answer;
      answers.get(event.key)?.resolve({ id, epoch, sequence: Number(sequence) } as never);
    },
  });
  connection.start();
  connection.join(room);
  return {
    name,
    room,
    opened,
    say: (content, key) =>
      new Promise((resolve, reject) => {
        answers.set(key, { resolve, reject });
        connection.send(room, content, key);
      }),
    stop: async () => connection.stop(),
  };
}

/** By gRPC, resumed from the cursor whenever the stream ends. @param dial which server it is this time */
export function listenByGrpc(
  dial: () => RpcClient<'chat.ChatService'>,
  { name, room, person, history, tally }: ListenerParts,
): Listener {
  const { promise: opened, resolve } = Promise.withResolvers<void>();
  const stop = new AbortController();
  history.reader(name);
  let after = '';
  async function once(): Promise<void> {
    const request = { room_id: room, user_id: '', username: '', after };
    // A stream that broke must not hand on what it still has: the next one begins after what was read.
    let over = false;
    const call = dial().subscribe(request, { signal: stop.signal, token: await person.token() });
    await call
      .each(({ opened, messages }) => {
        if (over) return;
        if (opened) {
          if (opened.history_lost !== 'HISTORY_LOST_UNSPECIFIED') history.historyLost(name, opened.history_lost);
          resolve();
        }
        for (const message of messages) {
          after = `${message.epoch}-${message.sequence}`;
          history.delivered(name, seen(room, message));
        }
      })
      .finally(() => {
        over = true;
      });
  }
  const reading = (async () => {
    while (!stop.signal.aborted) {
      await once().catch((error) => {
        // A token's end is a stream's end too.
        if (!stop.signal.aborted && error.code !== 'UNAUTHENTICATED') tally.failed('a stream', error);
      });
      if (!stop.signal.aborted) tally.add('streams resumed');
      await pause(50 + Math.random() * 200, stop.signal);
    }
  })();
  return {
    name,
    room,
    opened,
    stop: async () => {
      stop.abort();
      await reading;
    },
  };
}
