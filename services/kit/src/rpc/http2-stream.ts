/**
 * The HTTP/2 stream behind a call. grpc-js copies every message for every reader to put five bytes before it, and makes one
 * write of each; it pauses its stream, makes promises and copies twice for every message that comes. Where that is dear the
 * kit reads and writes the stream itself (read-messages.ts, framed-writer.ts).
 */
import type { ServerDuplexStream, ServerWritableStream } from '@grpc/grpc-js';

export type Outlet = ServerWritableStream<unknown, unknown> | ServerDuplexStream<unknown, unknown>;

export interface Http2Stream {
  write(bytes: Buffer, done?: (error?: Error | null) => void): boolean;
  readonly writableLength: number;
  readonly destroyed: boolean;
  readonly closed: boolean;
  readonly _readableState: { readingMore: boolean };
  close(code: number): void;
  pause(): void;
  resume(): void;
  on(event: 'data', listener: (chunk: Buffer) => void): void;
  once(event: 'close' | 'end', listener: () => void): void;
  removeAllListeners(event: 'data'): void;
}

/** What is used of grpc-js's insides (1.14: BaseServerInterceptingCall keeps its HTTP/2 stream there). */
interface Insides {
  call?: { stream?: Http2Stream; incomingEncoding?: string };
}

/** Undefined where grpc-js does not show it. */
export function http2Of(stream: Outlet): Http2Stream | undefined {
  const http2 = (stream as unknown as Insides).call?.stream;
  return typeof http2?.write === 'function' ? http2 : undefined;
}

/** Whether the messages that come may be compressed. */
export const isCompressed = (stream: Outlet): boolean =>
  (stream as unknown as Insides).call?.incomingEncoding !== 'identity';

const cutOffMs = 3000;
/** CANCEL of RFC 9113. */
const cancelled = 8;

/**
 * A stream that has ended is closed when its reader has read what was written for him; one who does not read at all is cut
 * off after a while, so that his bytes do not stay with us.
 */
export function cutOffLater(stream: Outlet): void {
  const http2 = http2Of(stream);
  if (http2 === undefined || http2.closed || http2.destroyed) return;
  const timer = setTimeout(() => http2.close(cancelled), cutOffMs);
  timer.unref();
  http2.once('close', () => clearTimeout(timer));
}
