/** Who comes for a moment and goes again, by event stream or JoinRoom: what a process keeps of him would add up. */
import type { RpcClient } from '@parley/kit';
import type { Person } from './person.ts';
import { steadily } from './steadily.ts';
import type { Tally } from './tally.ts';

const staysAtMostMs = 5000;

export interface VisitorParts {
  rooms: string[];
  people: Person[];
  /** The gateway's origin. */
  origin: string;
  chat: RpcClient<'chat.ChatService'>;
  perSecond: number;
  tally: Tally;
}

export function visit({ rooms, people, origin, chat, perSecond, tally }: VisitorParts, signal: AbortSignal) {
  /** Until the first message. */
  async function byEvents(room: string, person: Person): Promise<boolean> {
    const leave = new AbortController();
    const response = await fetch(new URL(`/v1/rooms/${room}/events`, origin), {
      headers: { authorization: `Bearer ${await person.token()}` },
      signal: AbortSignal.any([leave.signal, AbortSignal.timeout(staysAtMostMs)]),
    });
    if (!response.ok) throw { code: `HTTP ${response.status}`, message: await response.text() };
    try {
      const decoder = new TextDecoder();
      let text = '';
      for await (const chunk of response.body as ReadableStream<Uint8Array>) {
        text += decoder.decode(chunk, { stream: true });
        if (text.includes('event: message')) return true;
      }
      return false;
    } finally {
      leave.abort();
    }
  }
  async function byJoin(room: string, person: Person): Promise<boolean> {
    const call = chat.joinRoom(
      { room_id: room, user_id: '', username: '' },
      { timeoutMs: staysAtMostMs, token: await person.token() },
    );
    for await (const _message of call) {
      call.cancel();
      return true;
    }
    return false;
  }
  async function one(number: number): Promise<void> {
    const room = rooms[number % rooms.length] as string;
    const person = people[number % people.length] as Person;
    try {
      if (await (number % 2 === 0 ? byEvents(room, person) : byJoin(room, person))) tally.add('visits');
    } catch (error) {
      // One whom nobody tells anything in time has gone away.
      const { name } = error as Error;
      if (name === 'TimeoutError' || name === 'AbortError' || name === 'TypeError') tally.add('visits in vain');
      else if (/^HTTP (408|503|504)$/.test((error as { code: string }).code)) tally.add('visits in vain');
      else tally.failed('a visit', error);
    }
  }
  return steadily('a visit', perSecond, one, tally, signal);
}
