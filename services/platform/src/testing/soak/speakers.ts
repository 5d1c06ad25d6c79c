/** Messages at a steady rate, by every way in, each sent with one key until it is acknowledged. */
import type { Acknowledged, History } from '@parley/chat/testing/history';
import type { Api } from '@parley/client';
import type { RpcClient } from '@parley/kit';
import type { Listener } from './listeners.ts';
import { pause } from './patience.ts';
import type { Person } from './person.ts';
import { steadily } from './steadily.ts';
import type { Tally } from './tally.ts';
import { nameOf, textOf } from './texts.ts';

export interface Speaker {
  person: Person;
  /** Each by another gateway. */
  apis: Api[];
}

export interface SpeakerParts {
  rooms: string[];
  speakers: Speaker[];
  /** Chat by gRPC, at the chat processes and through the gateways. */
  chats: RpcClient<'chat.ChatService'>[];
  /** Those who can speak by WebSocket; at least one in each room. */
  listeners: Listener[];
  messagesPerSecond: number;
  history: History;
  tally: Tally;
}

/** The longest fault is over long before. */
const giveUpMs = 120_000;
const callTimeoutMs = 5000;

/** Speaks until the signal. Resolves when everything is acknowledged or given up. */
export function speak(
  { rooms, speakers, chats, listeners, messagesPerSecond, history, tally }: SpeakerParts,
  signal: AbortSignal,
) {
  const anyOf = <T>(all: T[]) => all[Math.floor(Math.random() * all.length)] as T;

  /** One try. @param way the way that this message was first sent by */
  async function send(way: number, room: string, content: string, key: string): Promise<Acknowledged> {
    const { person, apis } = speakers[rooms.indexOf(room) % speakers.length] as Speaker;
    const answer =
      way === 0
        ? await anyOf(apis).rooms.send(room, { content }, key)
        : await anyOf(chats).sendMessage(
            { room_id: room, user_id: '', username: '', content, idempotency_key: key },
            { timeoutMs: callTimeoutMs, token: await person.token() },
          );
    return { id: answer.message_id, epoch: answer.epoch, sequence: Number(answer.sequence) };
  }

  async function say(number: number): Promise<void> {
    const room = rooms[number % rooms.length] as string;
    const [name, content] = [nameOf(number), textOf(number)];
    const way = number % 4;
    history.sent(room, name);
    if (way === 3) {
      // The SDK tries again by itself.
      const one = anyOf(listeners.filter((listener) => listener.room === room));
      history.acknowledge(name, await one.say!(content, name));
      return;
    }
    for (const end = Date.now() + giveUpMs; Date.now() < end; tally.add('sends tried again')) {
      try {
        history.acknowledge(name, await send(way, room, content, name));
        return;
      } catch (error) {
        if (!tally.failed(`a message by way ${way}`, error)) return;
        await pause(50 + Math.random() * 250);
      }
    }
    throw new Error(`not acknowledged within ${giveUpMs / 1000} s`);
  }

  return steadily('a message', messagesPerSecond, say, tally, signal);
}
