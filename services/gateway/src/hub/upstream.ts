/**
 * The way to chat: a Connect stream that many rooms and viewers share, and another one when it breaks. Questions carry a
 * ref and are asked again on the next stream when theirs broke before the answer.
 */
import { AppError, type CodeName, type DuplexCall, type Logger, unavailable } from '@parley/kit';
import type { ClientFrame, ClientFrame__Output } from '@parley/proto/chat/ClientFrame';
import type { ServerFrame__Output } from '@parley/proto/chat/ServerFrame';
import type { SubscribeResponse__Output } from '@parley/proto/chat/SubscribeResponse';
import type { Typing__Output } from '@parley/proto/chat/Typing';

export type ConnectCall = DuplexCall<ClientFrame, ServerFrame__Output>;

export interface Question {
  /** Made anew for every stream that it is asked on. */
  frame(): Omit<ClientFrame, 'ref'>;
  /** Called at once when the answer arrives, before anything that follows it on the stream. */
  answered(frame: ServerFrame__Output, stream: Stream, ref: string): void;
  failed(error: AppError): void;
  /** Milliseconds since 1970. */
  expiresAt: number;
}

/** What lives on a stream, and begins anew on another one. */
export interface Passenger {
  /** The stream has gone; `resume` follows on the next. */
  lost(): void;
  resume(): void;
}

export interface UpstreamSettings {
  connect(): ConnectCall;
  /** Our own token, which the stream has to renew before it ends. */
  token(): string;
  onEvent(stream: Stream, event: SubscribeResponse__Output): void;
  onTyping(typing: Typing__Output): void;
  log: Logger;
}

const mostQuestions = 20_000;
const renewTokenMs = 4 * 60_000;
const patienceMs = 8000;

export class Upstream implements Disposable {
  readonly #settings: UpstreamSettings;
  #current: Stream | undefined;
  #streams = new Set<Stream>();
  #waiting: Question[] = [];
  #stranded = new Set<Passenger>();
  #failures = 0;
  #retry: NodeJS.Timeout | undefined;
  readonly #clock: NodeJS.Timeout;
  #disposed = false;

  constructor(settings: UpstreamSettings) {
    this.#settings = settings;
    this.#clock = setInterval(() => this.#expire(), 500).unref();
  }

  /** Asks on the current stream, or on the next one. */
  ask(question: Omit<Question, 'expiresAt'>): void {
    const asked = { ...question, expiresAt: Date.now() + patienceMs };
    if (this.#disposed) asked.failed(unavailable('the gateway is shutting down: connect again'));
    else if (this.#questions >= mostQuestions) {
      asked.failed(new AppError('RESOURCE_EXHAUSTED', 'too many requests wait for chat', { retryAfterMs: 1000 }));
    } else {
      const stream = this.#stream();
      if (stream) stream.ask(asked);
      else this.#waiting.push(asked);
    }
  }

  /** Says something that has no answer; without a stream it is not said. */
  tell(frame: ClientFrame): void {
    this.#current?.tell(frame);
  }

  /** New questions go to another stream from now on; this one lives until nothing is left on it. */
  retire(stream: Stream): void {
    if (this.#current === stream) this.#current = undefined;
    stream.retired = true;
    stream.endWhenIdle();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    clearInterval(this.#clock);
    clearTimeout(this.#retry);
    for (const stream of this.#streams) stream.cancel();
    for (const question of this.#waiting.splice(0)) question.failed(unavailable('the gateway is shutting down'));
  }

  get #questions(): number {
    let count = this.#waiting.length;
    for (const stream of this.#streams) count += stream.questions.size;
    return count;
  }

  #stream(): Stream | undefined {
    if (this.#current || this.#retry) return this.#current;
    return this.#open();
  }

  #open(): Stream {
    const stream = new Stream(this.#settings);
    this.#current = stream;
    this.#streams.add(stream);
    void stream.run().then((error) => this.#ended(stream, error));
    return stream;
  }

  #ended(stream: Stream, error: unknown): void {
    this.#streams.delete(stream);
    if (this.#current === stream) this.#current = undefined;
    if (this.#disposed) return;
    const { passengers, questions, heard, retired } = stream;
    // Once an outage: that the next attempts fail too is no news.
    if ((passengers.size > 0 || questions.size > 0) && (heard || this.#failures === 0)) {
      const code = error instanceof AppError ? error.code : 'OK';
      this.#settings.log.warn({ code, rooms: passengers.size, questions: questions.size }, 'upstream.lost');
    }
    this.#waiting.unshift(...questions.values());
    for (const passenger of passengers) {
      this.#stranded.add(passenger);
      passenger.lost();
    }
    if (!retired) this.#failures = heard ? 0 : this.#failures + 1;
    this.#retrySoon();
  }

  #retrySoon(): void {
    if (this.#retry || (this.#waiting.length === 0 && this.#stranded.size === 0)) return;
    const mostMs = Math.min(3000, 50 * 2 ** Math.min(this.#failures, 10));
    this.#retry = setTimeout(() => this.#again(), mostMs * (0.5 + Math.random() / 2));
  }

  #again(): void {
    this.#retry = undefined;
    const stream = this.#stream()!;
    const passengers = [...this.#stranded];
    this.#stranded.clear();
    for (const passenger of passengers) passenger.resume();
    for (const question of this.#waiting.splice(0)) stream.ask(question);
  }

  /** Nobody waits for ever for a chat that does not come back. */
  #expire(): void {
    const now = Date.now();
    const late = (question: Question) => question.expiresAt <= now;
    const gone = this.#waiting.filter(late);
    if (gone.length > 0) this.#waiting = this.#waiting.filter((question) => !late(question));
    for (const stream of this.#streams) {
      for (const [ref, question] of stream.questions) {
        if (!late(question)) continue;
        stream.questions.delete(ref);
        gone.push(question);
      }
      stream.endWhenIdle();
    }
    for (const question of gone) question.failed(unavailable('chat does not answer at the moment: try again'));
  }
}

/** One Connect stream. */
export class Stream {
  /** Asked and not answered yet, in the order in which they were asked. */
  readonly questions = new Map<string, Question>();
  readonly passengers = new Set<Passenger>();
  /** Who is told when the subscription that had this ref ends. */
  readonly closings = new Map<string, (closed: { code: string; cursor: string }) => void>();
  retired = false;
  heard = false;
  readonly #settings: UpstreamSettings;
  readonly #call: ConnectCall;
  #refs = 0;

  constructor(settings: UpstreamSettings) {
    this.#settings = settings;
    this.#call = settings.connect();
  }

  /** Resolves when the stream has ended, with the error it ended with. */
  async run(): Promise<unknown> {
    const renew = setInterval(() => this.tell({ hello: { token: this.#settings.token() } }), renewTokenMs);
    try {
      await this.#call.each((frame) => this.#heard(frame));
      return undefined;
    } catch (error) {
      return error;
    } finally {
      clearInterval(renew);
    }
  }

  ask(question: Question): void {
    const ref = String(++this.#refs);
    this.questions.set(ref, question);
    this.#call.write({ ref, ...question.frame() } as ClientFrame__Output);
  }

  tell(frame: ClientFrame): void {
    this.#call.write(frame as ClientFrame__Output);
  }

  endWhenIdle(): void {
    if (this.retired && this.passengers.size === 0 && this.questions.size === 0) this.#call.end();
  }

  cancel(): void {
    this.#call.cancel();
  }

  #heard(frame: ServerFrame__Output): void {
    this.heard = true;
    const { ref, event, error, typing } = frame;
    const question = ref ? this.questions.get(ref) : undefined;
    if (question) {
      this.questions.delete(ref);
      if (error) question.failed(appError(error));
      else question.answered(frame, this, ref);
    } else if (ref && event?.closed) {
      this.closings.get(ref)?.(event.closed);
    } else if (event) {
      this.#settings.onEvent(this, event);
    } else if (typing) {
      this.#settings.onTyping(typing);
    }
  }
}

function appError(error: { code: string; message: string; retry_after_ms: string }): AppError {
  const retryAfterMs = Number(error.retry_after_ms);
  return new AppError(error.code as CodeName, error.message, retryAfterMs > 0 ? { retryAfterMs } : {});
}
