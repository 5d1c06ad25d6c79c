/** The streams of a call, as its handler has them. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import type { Method } from './definitions.ts';
import { type FramedWriter, framedWriter } from './framed-writer.ts';
import { frame } from './framing.ts';
import type { Outlet } from './http2-stream.ts';
import type { Incoming, Outgoing } from './implementation.ts';
import { readMessages } from './read-messages.ts';

export class OutgoingStream implements Outgoing<unknown> {
  readonly #method: Method;
  readonly framed: FramedWriter;
  pendingWrites = 0;

  constructor(stream: Outlet, method: Method) {
    this.#method = method;
    this.framed = framedWriter(stream);
  }

  write(message: unknown, flushed?: () => void): void {
    this.pendingWrites++;
    const bytes = Buffer.isBuffer(message) ? message : this.#method.encodeResponse(message as object);
    this.framed.write(frame(bytes), () => {
      this.pendingWrites--;
      flushed?.();
    });
  }
}

export class IncomingStream implements Incoming<unknown> {
  readonly #stream: ServerDuplexStream<Buffer, unknown>;
  readonly #method: Method;
  readonly #signal: AbortSignal;
  readonly #mostBytes: number;

  constructor(stream: ServerDuplexStream<Buffer, unknown>, method: Method, signal: AbortSignal, mostBytes: number) {
    this.#stream = stream;
    this.#method = method;
    this.#signal = signal;
    this.#mostBytes = mostBytes;
  }

  each(
    on: (message: unknown) => undefined | Promise<void>,
    decode?: (bytes: Buffer) => unknown | undefined,
  ): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = readMessages(this.#stream, this.#mostBytes, {
        take: (bytes) => on(decode?.(bytes) ?? this.#method.decodeRequest(bytes)),
        ended: resolve,
        failed: reject,
      });
      const abort = () => {
        stop();
        reject(this.#signal.reason);
      };
      if (this.#signal.aborted) abort();
      else this.#signal.addEventListener('abort', abort, { once: true });
    });
  }
}
