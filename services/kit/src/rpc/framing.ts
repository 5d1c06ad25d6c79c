/**
 * gRPC's framing on HTTP/2, written by ourselves where many readers get the same bytes. grpc-js copies every message for
 * every reader to put five bytes before it, and makes one write of each; here a buffer is framed once and written to all.
 */
import { Metadata, type ServerDuplexStream, type ServerWritableStream } from '@grpc/grpc-js';

type Outlet = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

/** What is used of grpc-js's insides (1.14: BaseServerInterceptingCall keeps its HTTP/2 stream there).. */
interface Insides {
  call?: {
    stream?: {
      write(bytes: Buffer, done?: (error?: Error | null) => void): boolean;
      readonly writableLength: number;
      close(code: number): void;
      once(event: 'close', listener: () => void): void;
      destroyed: boolean;
      closed: boolean;
    };
  };
}

const prefixBytes = 5;

/** A message with gRPC's prefix: not compressed, and its length. */
export function frame(message: Buffer): Buffer {
  const framed = Buffer.allocUnsafe(message.length + prefixBytes);
  writePrefix(framed, 0, message.length);
  message.copy(framed, prefixBytes);
  return framed;
}

/** Puts the prefix of a message of this length at `offset`; the message goes to what this returns. */
export function writePrefix(framed: Buffer, offset: number, length: number): number {
  framed[offset] = 0;
  framed.writeUInt32BE(length, offset + 1);
  return offset + prefixBytes;
}

/** The messages of a framed buffer, without their prefixes. */
export function* unframe(framed: Buffer): Generator<Buffer> {
  for (let at = 0; at < framed.length; ) {
    const length = framed.readUInt32BE(at + 1);
    yield framed.subarray(at + prefixBytes, at + prefixBytes + length);
    at += prefixBytes + length;
  }
}

/** A way out for framed bytes. A callback for a write costs as much as the write: ask for one where it is needed. */
export interface FramedWriter {
  write(framed: Buffer, flushed?: () => void): void;
  readonly pendingBytes: number;
}

/** Writes framed bytes to a stream's HTTP/2 stream, or message by message where grpc-js does not show it. */
export function framedWriter(stream: Outlet): FramedWriter {
  const http2 = (stream as unknown as Insides).call?.stream;
  if (typeof http2?.write !== 'function') return messageWriter(stream);
  let begun = false;
  return {
    get pendingBytes() {
      return http2.writableLength;
    },
    write(framed, flushed) {
      if (http2.destroyed || http2.closed) return;
      if (!begun) {
        begun = true;
        stream.sendMetadata(new Metadata());
      }
      http2.write(framed, flushed);
    },
  };
}

function messageWriter(stream: Outlet): FramedWriter {
  let pendingBytes = 0;
  return {
    get pendingBytes() {
      return pendingBytes;
    },
    write(framed, flushed) {
      pendingBytes += framed.length;
      const messages = [...unframe(framed)];
      const last = messages.pop();
      for (const message of messages) stream.write(message);
      stream.write(last, () => {
        pendingBytes -= framed.length;
        flushed?.();
      });
    },
  };
}

const cutOffMs = 3000;
/** CANCEL of RFC 9113. */
const cancelled = 8;

/**
 * A stream that has ended is closed when its reader has read what was written for him; one who does not read at all is cut
 * off after a while, so that his bytes do not stay with us.
 */
export function cutOffLater(stream: Outlet): void {
  const http2 = (stream as unknown as Insides).call?.stream;
  if (http2 === undefined || http2.closed || http2.destroyed) return;
  const timer = setTimeout(() => http2.close(cancelled), cutOffMs);
  timer.unref();
  http2.once('close', () => clearTimeout(timer));
}
