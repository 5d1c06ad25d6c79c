/** What goes on all the time: listeners who stay, and people who speak, buy, visit and are made. */
import { History } from '@parley/chat/testing/history';
import { createApi } from '@parley/client';
import {
  accessTokenSeconds,
  type KeyRing,
  RpcChannel,
  type RpcClient,
  type Subject,
  serviceTokens,
  signToken,
} from '@parley/kit';
import { makeUsers } from './accounts.ts';
import { buy } from './buyers.ts';
import type { Deployment } from './deployment.ts';
import { type Listener, type ListenerParts, listenByGrpc, listenByWebSocket } from './listeners.ts';
import type { Member } from './member.ts';
import { patiently, within } from './patience.ts';
import { Person } from './person.ts';
import { speak } from './speakers.ts';
import type { Tally } from './tally.ts';
import { visit } from './visitors.ts';

const roomCount = 10;
const listenersByWebSocket = 15;
const listenersByGrpc = 15;
/** Everything that is said is kept, so that all of it can be looked for at the end. */
const keptMessages = 100_000;
const opensWithinMs = 60_000;

export const ordersPerSecond = 0.25;
export const usersPerSecond = 1;
const visitsPerSecond = 1;

export interface Load {
  history: History;
  listeners: Listener[];
  rooms: string[];
  /** A chat process that is never killed. */
  chat: RpcClient<'chat.ChatService'>;
  /** Runs until the signal. @returns what was acknowledged, when all that was begun has ended */
  run(messagesPerSecond: number, signal: AbortSignal): Promise<{ orders: Set<string>; users: Set<string> }>;
}

/** Makes rooms and people, and opens the listeners' streams. Everything is closed with the stack. */
export async function prepareLoad(deployment: Deployment, tally: Tally, stack: AsyncDisposableStack): Promise<Load> {
  const { keys, chats, gateways } = deployment;
  const history = new History();
  const rooms = Array.from({ length: roomCount }, (_, i) => `soak-${i}`);
  const token = serviceTokens(keys, 'soak');
  const channelTo = ({ grpc }: Member) => stack.use(new RpcChannel({ address: grpc, token }));
  const [toChats, toGateways] = [chats.map(channelTo), gateways.map(channelTo)];
  const kept = toChats[0] as RpcChannel;
  const admin = kept.client('chat.RoomAdminService');
  for (const room_id of rooms) {
    const spec = { display_name: room_id, max_messages: keptMessages };
    const owner = { namespace: 'soak', name: room_id, uid: room_id };
    await patiently(opensWithinMs, () => admin.applyRoom({ room_id, spec, owner }));
  }
  const origin = gateways[0]!.http;
  // One after the other: a password's hash keeps a processor busy.
  const people: Person[] = [];
  for (let i = 0; i < listenersByWebSocket + listenersByGrpc; i++)
    people.push(await Person.register(origin, `soaked-${i}`, tally));
  const chatClients = [...toChats, ...toGateways].map((channel) => channel.client('chat.ChatService'));

  const partsOf = (i: number): ListenerParts => {
    const room = rooms[i % rooms.length] as string;
    return { name: `listener-${i}`, room, person: people[i] as Person, history, tally };
  };
  const byWebSocket = Array.from({ length: listenersByWebSocket }, (_, i) =>
    listenByWebSocket(gateways[i % gateways.length]!.http, partsOf(i)),
  );
  const byGrpc = Array.from({ length: listenersByGrpc }, (_, i) => {
    const dial = () => chatClients[Math.floor(Math.random() * chatClients.length)] as RpcClient<'chat.ChatService'>;
    return listenByGrpc(dial, partsOf(listenersByWebSocket + i));
  });
  const listeners = [...byWebSocket, ...byGrpc];
  for (const listener of listeners) stack.defer(() => listener.stop());
  await within(opensWithinMs, 'opening all streams', Promise.all(listeners.map(({ opened }) => opened)));

  const apisOf = ({ token }: Person) => gateways.map(({ http }) => createApi(http, token));
  const users = toGateways.map((channel) => channel.client('user.UserService'));
  const adminToken = tokensOf(keys, { userId: people[0]!.id, username: people[0]!.username, role: 'admin' });
  return {
    history,
    listeners,
    rooms,
    chat: kept.client('chat.ChatService'),
    async run(messagesPerSecond, signal) {
      const speakers = people.slice(0, roomCount).map((person) => ({ person, apis: apisOf(person) }));
      const speaking = {
        rooms,
        speakers,
        chats: chatClients,
        listeners: byWebSocket,
        messagesPerSecond,
        history,
        tally,
      };
      const visiting = {
        rooms,
        people,
        origin,
        chat: kept.client('chat.ChatService'),
        perSecond: visitsPerSecond,
        tally,
      };
      const [, , orders, made] = await Promise.all([
        speak(speaking, signal),
        visit(visiting, signal),
        buy(apisOf(people[0] as Person), ordersPerSecond, tally, signal),
        makeUsers(users, adminToken, usersPerSecond, tally, signal),
      ]);
      return { orders, users: made };
    },
  };
}

/** A token that is used for as long as it is good: who verifies remembers each. */
function tokensOf(keys: KeyRing, subject: Subject): () => string {
  let token = '';
  let renewAt = 0;
  return () => {
    if (Date.now() >= renewAt) {
      token = signToken(keys, subject);
      renewAt = Date.now() + (accessTokenSeconds / 2) * 1000;
    }
    return token;
  };
}
