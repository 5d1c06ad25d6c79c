/** A small gateway for tests: it speaks the contract over real WebSockets and lets connections fail on demand. */
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type WebSocket, WebSocketServer } from 'ws';
import { parseCursor } from '../cursor.ts';
import { subprotocol } from '../link.ts';
import type { ChatMessage, ClientFrame, ServerFrame } from '../wire.ts';

/** What a frame meets. `before`: the link breaks and nothing was done; `after`: it was done, and nobody is told. */
export type Fate = 'ok' | 'before' | 'after' | 'busy' | 'refuse';

interface Client {
  socket: WebSocket;
  userId: string;
  username: string;
  /** The next sequence to deliver, by room. */
  rooms: Map<string, number>;
}

export class TestGateway {
  readonly #server: Server;
  readonly #clients = new Set<Client>();
  readonly #keys = new Map<string, ChatMessage>();
  readonly logs = new Map<string, ChatMessage[]>();
  readonly hellos: string[] = [];
  epoch = 'e1';
  /** What rooms say to whoever comes without a cursor. */
  welcome = '';
  connections = 0;
  /** Asked before every frame is dealt with. */
  fate: (frame: ClientFrame) => Fate = () => 'ok';
  /** Which user a token belongs to; undefined closes with 4401. */
  users: (token: string) => { userId: string; username: string } | undefined = (token) => ({
    userId: token || '',
    username: token,
  });

  private constructor(server: Server) {
    this.#server = server;
    const sockets = new WebSocketServer({ server, path: '/v1/ws', handleProtocols: () => subprotocol });
    sockets.on('connection', (socket) => this.#accept(socket));
  }

  static async start(port = 0): Promise<TestGateway> {
    const server = createServer((_request, response) => response.writeHead(404).end('{}'));
    const gateway = new TestGateway(server);
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    return gateway;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.dropAll();
    this.#server.close();
    await once(this.#server, 'close');
  }

  log(roomId: string): ChatMessage[] {
    const log = this.logs.get(roomId) ?? [];
    this.logs.set(roomId, log);
    return log;
  }

  /** How many connections have this room's messages. */
  subscribed(roomId: string): number {
    return [...this.#clients].filter(({ rooms }) => rooms.has(roomId)).length;
  }

  /** Puts a message into the log and before everybody's eyes. */
  say(roomId: string, userId: string, content: string): ChatMessage {
    const message = this.#append(roomId, userId, content);
    for (const client of this.#clients) this.#deliver(client, roomId);
    return message;
  }

  /** A fault: the message is in the log, and those who are there are not told. */
  whisper(roomId: string, userId: string, content: string): void {
    const { sequence } = this.#append(roomId, userId, content);
    for (const { rooms } of this.#clients) if (rooms.has(roomId)) rooms.set(roomId, Number(sequence) + 1);
  }

  #append(roomId: string, userId: string, content: string): ChatMessage {
    const log = this.log(roomId);
    const sequence = Number(log.at(-1)?.sequence ?? 0) + 1;
    const message: ChatMessage = {
      id: `${this.epoch}.${roomId}.${sequence}`,
      room_id: roomId,
      user_id: userId,
      username: userId,
      content,
      timestamp: new Date(sequence * 1000).toISOString(),
      type: 'MESSAGE_TYPE_TEXT',
      sequence: String(sequence),
      epoch: this.epoch,
      idempotency_key: '',
      target_id: '',
    };
    log.push(message);
    return message;
  }

  /** All logs are gone, as after a disaster. */
  loseHistory(epoch: string): void {
    this.epoch = epoch;
    this.logs.clear();
    this.#keys.clear();
  }

  dropAll(code?: number): void {
    for (const { socket } of this.#clients) {
      if (code) socket.close(code);
      else socket.terminate();
    }
  }

  closeRoom(roomId: string, code: string): void {
    for (const client of this.#clients) {
      if (!client.rooms.delete(roomId)) continue;
      send(client, {
        event: { room_id: roomId, messages: [], opened: null, closed: { code, cursor: this.#end(roomId) } },
      });
    }
  }

  #accept(socket: WebSocket): void {
    this.connections++;
    const client: Client = { socket, userId: '', username: '', rooms: new Map() };
    this.#clients.add(client);
    socket.on('close', () => this.#clients.delete(client));
    socket.on('message', (data) => this.#received(client, JSON.parse(String(data))));
  }

  #received(client: Client, frame: ClientFrame): void {
    const fate = this.fate(frame);
    const { ref = '' } = frame;
    if (fate === 'before') client.socket.terminate();
    else if (fate === 'busy')
      send(client, { ref, error: { code: 'RESOURCE_EXHAUSTED', message: 'slow down', retry_after_ms: '5' } });
    else if (fate === 'refuse')
      send(client, { ref, error: { code: 'PERMISSION_DENIED', message: 'not you', retry_after_ms: '0' } });
    else if (frame.hello) this.#hello(client, ref, frame.hello.token ?? '');
    else if (frame.subscribe) this.#subscribe(client, ref, frame.subscribe.room_id!, frame.subscribe.after ?? '');
    else if (frame.send) this.#send(client, ref, frame.send, fate);
    else if (frame.unsubscribe) {
      client.rooms.delete(frame.unsubscribe.room_id!);
      send(client, { ref, ack: {} });
    } else send(client, { ref, ack: {} });
  }

  #hello(client: Client, ref: string, token: string): void {
    this.hellos.push(token);
    const user = this.users(token);
    if (!user) {
      client.socket.close(4401, 'not signed in');
      return;
    }
    Object.assign(client, user);
    send(client, { ref, welcome: { user_id: user.userId, username: user.username } });
  }

  #subscribe(client: Client, ref: string, roomId: string, after: string): void {
    if (client.rooms.has(roomId)) {
      send(client, { ref, error: { code: 'ALREADY_EXISTS', message: 'unsubscribe first', retry_after_ms: '0' } });
      return;
    }
    const from = parseCursor(after);
    const lost = from !== undefined && (from.epoch !== this.epoch || from.sequence > this.log(roomId).length);
    const resumed = from !== undefined && !lost;
    const next = resumed ? from.sequence + 1 : 1;
    client.rooms.set(roomId, next);
    const opened = {
      cursor: `${this.epoch}-${next - 1}`,
      resumed,
      history_lost: lost ? ('HISTORY_LOST_EPOCH_CHANGED' as const) : ('HISTORY_LOST_UNSPECIFIED' as const),
    };
    send(client, { ref, event: { room_id: roomId, messages: [], opened, closed: null } });
    this.#deliver(client, roomId);
    if (after === '' && this.welcome !== '')
      send(client, { event: { room_id: roomId, messages: [this.#welcomeLine(roomId)], opened: null, closed: null } });
  }

  #welcomeLine(room_id: string): ChatMessage {
    return {
      id: 'welcome',
      room_id,
      user_id: '',
      username: '',
      content: this.welcome,
      timestamp: new Date().toISOString(),
      type: 'MESSAGE_TYPE_SYSTEM',
      sequence: '0',
      epoch: '',
      idempotency_key: '',
      target_id: '',
    };
  }

  #send(client: Client, ref: string, message: NonNullable<ClientFrame['send']>, fate: Fate): void {
    const roomId = message.room_id!;
    const userId = client.userId || message.user_id || '';
    const key = `${roomId} ${userId} ${message.idempotency_key}`;
    const known = this.#keys.get(key);
    const stored = known ?? this.say(roomId, userId, message.content ?? '');
    this.#keys.set(key, stored);
    if (fate === 'after') {
      client.socket.terminate();
      return;
    }
    const { id: message_id, sequence, epoch, timestamp } = stored;
    send(client, {
      ref,
      sent: { success: true, message_id, sequence, epoch, timestamp, duplicate: known !== undefined },
    });
  }

  #deliver(client: Client, roomId: string): void {
    const next = client.rooms.get(roomId);
    if (next === undefined) return;
    const messages = this.log(roomId).filter(({ sequence }) => Number(sequence) >= next);
    if (messages.length === 0) return;
    client.rooms.set(roomId, Number(messages.at(-1)!.sequence) + 1);
    send(client, { event: { room_id: roomId, messages, opened: null, closed: null } });
  }

  #end(roomId: string): string {
    return `${this.epoch}-${this.log(roomId).at(-1)?.sequence ?? 0}`;
  }
}

function send({ socket }: Client, frame: ServerFrame): void {
  if (socket.readyState === socket.OPEN) socket.send(JSON.stringify(frame));
}
