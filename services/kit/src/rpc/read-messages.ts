/** A request stream's messages, taken apart where they lie. */
import type { ServerDuplexStream } from '@grpc/grpc-js';
import { AppError } from '../errors.ts';
import { Unframer } from './framing.ts';
import { type Http2Stream, http2Of, isCompressed } from './http2-stream.ts';

/** What is to be done with messages that come. */
export interface Taker {
  /** A promise holds the next ones back. What it throws, or rejects with, fails the stream. */
  take(message: Buffer): undefined | Promise<void>;
  ended(): void;
  failed(error: unknown): void;
}

/**
 * Hands over a request stream's messages, in order. Nothing may have been read from the stream before.
 * @param mostBytes how long a message may be
 * @returns what makes it stop
 */
export function readMessages(stream: ServerDuplexStream<Buffer, unknown>, mostBytes: number, taker: Taker): () => void {
  const http2 = http2Of(stream);
  // What is compressed grpc-js takes apart.
  return http2 && !isCompressed(stream) ? readHttp2(http2, mostBytes, taker) : readPushed(stream, taker);
}

function readHttp2(http2: Http2Stream, mostBytes: number, taker: Taker): () => void {
  const unframer = new Unframer(mostBytes);
  let stopped = false;
  const stop = () => {
    stopped = true;
    http2.pause();
  };
  const fail = (error: unknown) => {
    if (stopped) return;
    stop();
    taker.failed(error);
  };
  /** True when all that is whole was taken. */
  const takeAll = (): boolean => {
    try {
      for (let message = unframer.next(); message !== undefined; message = unframer.next()) {
        const wait = taker.take(message);
        if (stopped) return false;
        if (wait === undefined) continue;
        http2.pause();
        wait.then(goOn, fail);
        return false;
      }
      return true;
    } catch (error) {
      fail(error);
      return false;
    }
  };
  const goOn = () => {
    if (!stopped && takeAll()) http2.resume();
  };
  // grpc-js's own reader would take every message apart once more.
  http2.removeAllListeners('data');
  http2.on('data', (chunk) => {
    // HTTP/2 hands on what comes: that Node asks for more, in a tick after each chunk, would be as dear as the chunk.
    http2._readableState.readingMore = true;
    if (stopped) return;
    unframer.add(chunk);
    takeAll();
  });
  http2.once('end', () => {
    if (stopped) return;
    if (unframer.empty) taker.ended();
    else fail(new AppError('INVALID_ARGUMENT', 'the request stream ends within a message'));
  });
  http2.resume();
  return stop;
}

function readPushed(stream: ServerDuplexStream<Buffer, unknown>, taker: Taker): () => void {
  const stop = () => void stream.pause();
  const fail = (error: unknown) => {
    stop();
    taker.failed(error);
  };
  stream.on('data', (message: Buffer) => {
    try {
      const wait = taker.take(message);
      if (wait === undefined) return;
      stream.pause();
      wait.then(() => stream.resume(), fail);
    } catch (error) {
      fail(error);
    }
  });
  stream.once('end', () => taker.ended());
  stream.once('error', fail);
  return stop;
}
