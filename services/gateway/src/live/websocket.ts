/** GET /v1/ws: WebSockets with the subprotocol parley.v1.json. */
import type { Socket } from 'node:net';
import websocket from '@fastify/websocket';
import { type Counter, invalid } from '@parley/kit';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { WebSocket } from 'ws';
import { HttpError } from '../problem.ts';
import type { Addresses } from './addresses.ts';
import { Budget } from './budget.ts';
import { textFrame } from './frame.ts';
import { closeCodes, type Outlet, Session, type SessionSettings } from './session.ts';

export const subprotocol = 'parley.v1.json';
const largestFrame = 64 * 1024;
const pingEveryMs = 25_000;
/** What a viewer may have waiting before he is too slow. */
const mostWaitingBytes = 1024 * 1024;
/** How long a client has for his part of closing. */
const closeWithinMs = 3000;

export interface WebSocketSettings extends Omit<SessionSettings, 'budget'> {
  framesPerSecond: number;
  sessions: Set<Session>;
  addresses: Addresses;
  slow: Counter;
}

export async function serveWebSockets(app: FastifyInstance, settings: WebSocketSettings): Promise<void> {
  await app.register(websocket, {
    options: {
      maxPayload: largestFrame,
      perMessageDeflate: false,
      handleProtocols: (offered) => (offered.has(subprotocol) ? subprotocol : false),
    },
    errorHandler: (_error, socket) => socket.terminate(),
    // Closing is the drain's work: every room is told where it stands first.
    preClose: () => undefined,
  });
  app.route({
    method: 'GET',
    url: '/v1/ws',
    preValidation: async (request) => {
      checkUpgrade(request);
      settings.addresses.check(request.ip);
    },
    handler: () => {
      throw new HttpError(
        426,
        'INVALID_ARGUMENT',
        'this path speaks WebSocket: upgrade, with the subprotocol parley.v1.json',
      );
    },
    wsHandler: (socket, request) => {
      socket.once('close', settings.addresses.enter(request.ip));
      serve(socket, request.raw.socket, settings);
    },
  });
}

function checkUpgrade(request: FastifyRequest): void {
  const offered = request.headers['sec-websocket-protocol'];
  if (!request.ws || offered === undefined) return;
  if (offered.split(',').some((name) => name.trim() === subprotocol)) return;
  throw invalid('sec-websocket-protocol', `is ${JSON.stringify(offered.slice(0, 60))}; ${subprotocol} is allowed`);
}

function serve(socket: WebSocket, connection: Socket, settings: WebSocketSettings): void {
  connection.setNoDelay(true);
  const out = new SocketOutlet(socket, connection, () => settings.slow.inc());
  const session = new Session(out, { ...settings, budget: new Budget(settings.framesPerSecond) });
  settings.sessions.add(session);
  socket.on('message', (bytes, isBinary) => {
    if (isBinary) session.refuse(invalid('', 'a binary frame has come; text frames with JSON are allowed'));
    else session.heard(bytes.toString());
  });
  let alive = true;
  socket.on('pong', () => {
    alive = true;
  });
  const ping = setInterval(() => {
    if (!alive) socket.terminate();
    alive = false;
    socket.ping();
  }, pingEveryMs);
  // What ws finds wrong with a frame closes the connection with a code of its own: 1007, 1009.
  socket.on('error', () => undefined);
  socket.once('close', () => {
    clearInterval(ping);
    settings.sessions.delete(session);
    session.end();
  });
}

/** Writes frames that are made already straight to the connection; ws writes its own whole, so that the two never mix. */
class SocketOutlet implements Outlet {
  readonly #socket: WebSocket;
  readonly #connection: Socket;
  readonly #onSlow: () => void;

  constructor(socket: WebSocket, connection: Socket, onSlow: () => void) {
    this.#socket = socket;
    this.#connection = connection;
    this.#onSlow = onSlow;
  }

  frame(json: string): void {
    this.#write(textFrame(json));
  }

  batch(batch: { webSocket: Buffer }): void {
    this.#write(batch.webSocket);
  }

  close(code: number, reason: string): void {
    this.#socket.close(code, reason);
    const timer = setTimeout(() => this.#socket.terminate(), closeWithinMs);
    this.#socket.once('close', () => clearTimeout(timer));
  }

  #write(frame: Buffer): void {
    if (this.#socket.readyState !== this.#socket.OPEN) return;
    if (this.#connection.writableLength + frame.length > mostWaitingBytes && this.#connection.writableLength > 0) {
      this.#onSlow();
      this.close(closeCodes.slow, 'this connection reads too slowly: connect again and resume');
      return;
    }
    this.#connection.write(frame);
  }
}
