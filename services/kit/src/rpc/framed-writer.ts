/** Bytes that are gRPC messages already: framed once, written to many. */
import { Metadata } from '@grpc/grpc-js';
import { unframe } from './framing.ts';
import { type Http2Stream, http2Of, type Outlet } from './http2-stream.ts';

/** A way out for framed bytes. A callback for a write costs as much as the write: ask for one where it is needed. */
export interface FramedWriter {
  write(framed: Buffer, flushed?: () => void): void;
  /** Bytes written that have not left for the network. */
  readonly pendingBytes: number;
}

/** Writes framed bytes to a stream's HTTP/2 stream, or message by message where grpc-js does not show it. */
export function framedWriter(stream: Outlet): FramedWriter {
  const http2 = http2Of(stream);
  return http2 ? new Http2Writer(stream, http2) : new MessageWriter(stream);
}

/** A class, not closures: these are looked at for every reader of every batch. */
class Http2Writer implements FramedWriter {
  readonly #http2: Http2Stream;
  #toBegin: Outlet | undefined;

  constructor(stream: Outlet, http2: Http2Stream) {
    this.#http2 = http2;
    this.#toBegin = stream;
  }

  get pendingBytes(): number {
    return this.#http2.writableLength;
  }

  write(framed: Buffer, flushed?: () => void): void {
    const http2 = this.#http2;
    if (http2.destroyed || http2.closed) return;
    if (this.#toBegin !== undefined) {
      this.#toBegin.sendMetadata(new Metadata());
      this.#toBegin = undefined;
    }
    http2.write(framed, flushed);
  }
}

class MessageWriter implements FramedWriter {
  readonly #stream: Outlet;
  pendingBytes = 0;

  constructor(stream: Outlet) {
    this.#stream = stream;
  }

  write(framed: Buffer, flushed?: () => void): void {
    this.pendingBytes += framed.length;
    const messages = [...unframe(framed)];
    const last = messages.pop();
    for (const message of messages) this.#stream.write(message);
    this.#stream.write(last, () => {
      this.pendingBytes -= framed.length;
      flushed?.();
    });
  }
}
