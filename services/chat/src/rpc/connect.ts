/** Connect: many rooms both ways on one stream. What is asked is answered by its ref; events of all rooms come between. */
import {
  AppError,
  actsForOthers,
  type CallContext,
  type Caller,
  type Incoming,
  inSpan,
  invalid,
  type Outgoing,
  SpanKind,
  traceOf,
  tracingEnabled,
} from '@parley/kit';
import type { ClientFrame__Output } from '@parley/proto/chat/ClientFrame';
import type { ServerFrame } from '@parley/proto/chat/ServerFrame';
import type { SubscribeRequest__Output } from '@parley/proto/chat/SubscribeRequest';
import type { Typing__Output } from '@parley/proto/chat/Typing';
import type { Unsubscribe__Output } from '@parley/proto/chat/Unsubscribe';
import { tooSlow } from '../delivery/subscriber.ts';
import type { Draft } from '../log/log.ts';
import { sentFrame } from '../messages/answer-frame.ts';
import { readSendFrame, type SentMessage } from '../messages/client-frame.ts';
import type { Sent, Wish } from '../messages/outbox.ts';
import { identify } from '../people/identify.ts';
import { RateLimit } from '../people/rate-limit.ts';
import type { OpenStream } from '../people/streams.ts';
import { type Actor, whyNotSend } from '../rooms/access.ts';
import { checkRoomId } from '../rooms/rules.ts';
import { serverFrame } from './codecs.ts';
import { ConnectedRoom } from './connected-room.ts';
import { markRead } from './marks.ts';
import type { ChatParts } from './parts.ts';
import { type Prepared, prepareSend } from './send.ts';
import { StreamOutlet } from './stream-outlet.ts';

/** Sends and requests of one stream that are not answered yet: above this it is not read on. */
const mostUnderWay = 2000;
/** What an answer takes at most, nearly: all that is under way is to fit in what may wait for its caller. */
const answerBytes = 512;
const mostRefCharacters = 128;
const mostRooms = 10_000;
const typingPerSecond = 5;

export async function connect(
  parts: ChatParts,
  incoming: Incoming<ClientFrame__Output>,
  context: CallContext,
  out: Outgoing<ServerFrame>,
): Promise<void> {
  const connection = new Connection(parts, context, out);
  parts.streams.add(connection);
  try {
    await connection.run(incoming);
  } finally {
    parts.streams.delete(connection);
    connection.leaveAll();
  }
}

export class Connection implements OpenStream {
  readonly movable = true;
  readonly outlet: StreamOutlet;
  readonly parts: ChatParts;
  readonly context: CallContext;
  caller: Caller;
  readonly #rooms = new Map<string, ConnectedRoom>();
  readonly #typing = new RateLimit('typing notices', typingPerSecond, typingPerSecond);
  readonly #mostUnderWay: number;
  readonly #ended: Promise<never>;
  #end!: (error: AppError) => void;
  #over = false;
  #underWay = 0;
  #roomy: (() => void) | undefined;

  constructor(parts: ChatParts, context: CallContext, out: Outgoing<ServerFrame>) {
    this.parts = parts;
    this.context = context;
    this.caller = context.caller;
    const { queueBytes, serviceQueueBytes } = parts.settings;
    this.outlet = new StreamOutlet(out.framed, this.vouches ? serviceQueueBytes : queueBytes);
    this.#mostUnderWay = Math.min(mostUnderWay, this.outlet.mostBytes / answerBytes);
    this.#ended = new Promise((_, reject) => {
      this.#end = reject;
    });
    this.#ended.catch(() => undefined);
  }

  /** Whether the caller may name others: a gateway, whose stream carries many members. */
  get vouches(): boolean {
    return actsForOthers(this.caller);
  }

  get peer(): string {
    return this.context.peer;
  }

  get over(): boolean {
    return this.#over;
  }

  /** Resolves when the caller has ended his side and everything is answered. @throws AppError as the stream ends. */
  async run(incoming: Incoming<ClientFrame__Output>): Promise<void> {
    const { signal } = this.context;
    const abort = () => this.end(signal.reason as AppError);
    if (signal.aborted) abort();
    signal.addEventListener('abort', abort, { once: true });
    const said = incoming.each(
      (frame) => this.#said(frame),
      readSendFrame as (bytes: Buffer) => ClientFrame__Output | undefined,
    );
    said.catch((error: AppError) => this.end(error));
    await Promise.race([said, this.#ended]);
    while (this.#underWay > 0 && !this.#over) {
      const answered = new Promise<void>((resolve) => {
        this.#roomy = resolve;
      });
      await Promise.race([answered, this.#ended]);
    }
    this.outlet.close();
  }

  end(error: AppError): void {
    if (this.#over) return;
    this.#over = true;
    if (error.code !== 'CANCELLED') for (const room of this.#rooms.values()) room.close(error.code);
    this.outlet.close();
    this.#end(error);
  }

  leaveAll(): void {
    this.#over = true;
    for (const room of [...this.#rooms.values()]) room.dispose();
    this.#rooms.clear();
  }

  forget(room: ConnectedRoom): void {
    if (this.#rooms.get(room.roomId) === room) this.#rooms.delete(room.roomId);
  }

  answer(frame: ServerFrame): void {
    this.#answer(serverFrame(frame));
  }

  #answer(framed: Buffer): void {
    if (this.#over) return;
    const { outlet } = this;
    outlet.gather(framed);
    if (outlet.pendingBytes > outlet.mostBytes) this.end(tooSlow('it is answered: open another'));
  }

  #said(frame: ClientFrame__Output): undefined | Promise<void> {
    const { ref, kind } = frame;
    if (ref.length > mostRefCharacters) {
      // Not sent back: small questions are to have small answers.
      this.#refuse('', invalid('ref', `is ${ref.length} characters; at most ${mostRefCharacters} are allowed`));
      return this.#wait();
    }
    if (kind === 'send') return this.#send(ref, frame.send as SentMessage, frame.traceparent ?? '');
    this.#begin();
    this.#request(frame)
      .then(
        (answer) => answer && this.answer({ ref, ...answer }),
        (error: unknown) => this.#refuse(ref, error),
      )
      .finally(() => this.#done());
    return this.#wait();
  }

  async #request(frame: ClientFrame__Output): Promise<ServerFrame | undefined> {
    switch (frame.kind) {
      case 'hello':
        return { welcome: this.#hello(frame.hello!.token) };
      case 'subscribe':
        return this.#subscribe(frame.ref, frame.subscribe!);
      case 'unsubscribe':
        return this.#unsubscribe(frame.unsubscribe!);
      case 'typing':
        return this.#typed(frame.typing!);
      case 'read':
        await markRead(this.parts, this.caller, frame.read!);
        return { ack: {} };
      default:
        throw invalid('kind', 'is not set; hello, subscribe, unsubscribe, send, typing or read is required');
    }
  }

  /** A new token for the same caller: the stream lasts as long as this one does. */
  #hello(token: string) {
    if (token !== '') {
      const caller = this.parts.verifier.verify(token);
      const now = this.caller;
      if (now.kind === 'guest' || now.userId !== caller.userId || now.kind !== caller.kind) {
        throw new AppError('PERMISSION_DENIED', 'this token is for another caller: open a stream of its own for it');
      }
      this.caller = caller;
    }
    const { caller } = this;
    return caller.kind === 'guest'
      ? { user_id: '', username: '' }
      : { user_id: caller.userId, username: caller.username };
  }

  /** Who opens a room is answered before its messages, by the room itself. */
  async #subscribe(ref: string, request: SubscribeRequest__Output): Promise<ServerFrame | undefined> {
    checkRoomId(request.room_id);
    for (;;) {
      const room = this.#rooms.get(request.room_id);
      if (room === undefined) break;
      if (await room.opened()) return room.admit(ref, request);
    }
    if (this.#rooms.size >= mostRooms) {
      throw new AppError('RESOURCE_EXHAUSTED', `this stream has ${mostRooms} rooms: open another stream for more`);
    }
    const room = new ConnectedRoom(this, request.room_id);
    this.#rooms.set(request.room_id, room);
    await room.open(ref, request);
    return undefined;
  }

  async #unsubscribe({ room_id, user_id }: Unsubscribe__Output): Promise<ServerFrame> {
    const room = this.#rooms.get(room_id);
    if (room) {
      await room.opened();
      room.release(this.vouches ? user_id : '');
    }
    return { ack: {} };
  }

  async #typed({ room_id, user_id, username }: Typing__Output): Promise<ServerFrame> {
    checkRoomId(room_id);
    const actor = await identify(this.parts.guests, this.caller, { user_id, username });
    this.#typing.take(`${room_id} ${actor.userId}`);
    const record = this.#rooms.get(room_id)?.record ?? (await this.parts.rooms.get(room_id));
    const error = whyNotSend(record, actor, Date.now());
    if (error) throw error;
    await this.parts.log.signal(room_id, { kind: 'typing', userId: actor.userId, username: actor.username });
    return { ack: {} };
  }

  #send(ref: string, message: SentMessage, traceparent: string): undefined | Promise<void> {
    this.#begin();
    try {
      const prepared = prepareSend(this.parts, this.caller, message);
      if (!(prepared instanceof Promise)) {
        this.#post(ref, message.room_id, prepared, traceparent);
        return this.#wait();
      }
      // What he says next waits, so that it is not in the log before this.
      return prepared
        .then(
          (known) => this.#post(ref, message.room_id, known, traceparent),
          (error: unknown) => this.notSent(ref, error),
        )
        .then(() => this.#wait());
    } catch (error) {
      this.notSent(ref, error);
      return this.#wait();
    }
  }

  #post(ref: string, roomId: string, prepared: Prepared, traceparent: string): void {
    const { outbox } = this.parts;
    const said = new Said(this, ref, prepared);
    if (!tracingEnabled()) outbox.send(roomId, said);
    else {
      const trace = { kind: SpanKind.SERVER, parent: traceOf(traceparent) };
      void inSpan(`${this.context.rpc} send`, {}, () => outbox.sendOne(roomId, said.actor, said.draft), trace).then(
        (sent) => said.sent(sent),
        (error) => said.failed(error),
      );
    }
  }

  /** A send is in the log: its answer. */
  sent(ref: string, outcome: Sent): void {
    if (!this.#over) this.#answer(sentFrame(ref, outcome));
    this.#done();
  }

  /** A send was refused. */
  notSent(ref: string, error: unknown): void {
    this.#refuse(ref, error);
    this.#done();
  }

  #refuse(ref: string, error: unknown): void {
    if (!(error instanceof AppError)) this.parts.logger.error({ rpc: this.context.rpc, err: error }, 'rpc.failed');
    const shown = error instanceof AppError ? error : new AppError('INTERNAL', 'something went wrong on our side');
    const { code, message, details } = shown;
    this.answer({ ref, error: { code, message, retry_after_ms: details.retryAfterMs ?? 0 } });
  }

  #begin(): void {
    this.#underWay++;
  }

  #done(): void {
    this.#underWay--;
    if (this.#roomy && (this.#underWay === 0 || (this.#underWay <= this.#mostUnderWay / 2 && !this.#over))) {
      const roomy = this.#roomy;
      this.#roomy = undefined;
      roomy();
    }
  }

  /** Holds reading back while too much is to be answered, and while he does not read the answers that he has. */
  #wait(): undefined | Promise<void> {
    const { outlet } = this;
    if (outlet.pendingBytes > outlet.holdBytes && !this.#over) {
      return new Promise<void>((resolve) => outlet.whenDrained(resolve)).then(() => this.#wait());
    }
    if (this.#underWay < this.#mostUnderWay) return undefined;
    return new Promise((resolve) => {
      this.#roomy = resolve;
    });
  }
}

/** A send on its way into the log, and where its answer goes. */
class Said implements Wish {
  readonly actor: Actor;
  readonly draft: Draft;
  readonly #connection: Connection;
  readonly #ref: string;

  constructor(connection: Connection, ref: string, { actor, draft }: Prepared) {
    this.actor = actor;
    this.draft = draft;
    this.#connection = connection;
    this.#ref = ref;
  }

  sent(outcome: Sent): void {
    this.#connection.sent(this.#ref, outcome);
  }

  failed(error: AppError): void {
    this.#connection.notSent(this.#ref, error);
  }
}
