/** How a service is written: promises, typed by the generated types. */
import type { handleBidiStreamingCall, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import type { ServiceName, Services } from '@parley/proto';
import type { Access } from './access.ts';
import type { CallContext } from './context.ts';
import type { FramedWriter } from './framed-writer.ts';

/** A response stream, with what its writer needs to know of how far the reader is behind. */
export interface Outgoing<T> {
  /** Sends a message, or bytes that are one already: encode once, write to many. @param flushed called once they left for the network. */
  write(message: T | Buffer, flushed?: () => void): void;
  /** Messages written with `write` that have not left for the network. */
  readonly pendingWrites: number;
  /**
   * Sends bytes that are whole gRPC messages already, each behind its five bytes of prefix (see framing.ts): any number
   * of messages is one write, and one buffer serves every reader without being copied for each.
   */
  readonly framed: FramedWriter;
}

/** A request stream. */
export interface Incoming<T> {
  /**
   * Calls `on` for every message, in order; a promise holds the next ones back. Resolves when the caller has ended his side.
   * @param decode for hot paths: reads the messages that it knows, and answers undefined for all others
   */
  each(on: (message: T) => undefined | Promise<void>, decode?: (bytes: Buffer) => T | undefined): Promise<void>;
}

export type UnaryHandler<I, O> = (request: I, context: CallContext) => Promise<O | Buffer> | O | Buffer;
export type ServerStreamHandler<I, O> = (request: I, context: CallContext, out: Outgoing<O>) => Promise<void>;
export type BidiHandler<I, O> = (incoming: Incoming<I>, context: CallContext, out: Outgoing<O>) => Promise<void>;

/** The names that are written out in an interface, without its index signature. */
type Named<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] } & string;

type HandlerFor<H> =
  H extends handleBidiStreamingCall<infer I, infer O>
    ? BidiHandler<I, O>
    : H extends handleServerStreamingCall<infer I, infer O>
      ? ServerStreamHandler<I, O>
      : H extends handleUnaryCall<infer I, infer O>
        ? UnaryHandler<I, O>
        : never;

export type Implementation<S extends ServiceName> = {
  [M in Named<Services[S]['handlers']> as Uncapitalize<M>]: HandlerFor<Services[S]['handlers'][M]>;
};

export type AccessTable<S extends ServiceName> = {
  [M in Named<Services[S]['handlers']> as Uncapitalize<M>]: Access;
};

/** A service ready to be served: its handlers and who may call them. */
export interface ServedService {
  name: ServiceName;
  handlers: Record<string, (...args: never[]) => unknown>;
  access: Record<string, Access>;
}

/** Puts a service together; TypeScript holds that every method is there, with its messages' types and its access. */
export function implement<S extends ServiceName>(
  name: S,
  access: NoInfer<AccessTable<S>>,
  handlers: NoInfer<Implementation<S>>,
): ServedService {
  return { name, handlers: handlers as never, access: access as never };
}
