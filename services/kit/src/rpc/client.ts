/** Clients of our own services: typed promises, deadlines, our token, the active trace. */

import type { handleBidiStreamingCall, handleServerStreamingCall, handleUnaryCall } from '@grpc/grpc-js';
import {
  type CallOptions,
  type ChannelOptions,
  Client,
  type ClientDuplexStream,
  type ClientReadableStream,
  credentials,
  Metadata,
  type ServiceError,
} from '@grpc/grpc-js';
import type { MethodDefinition } from '@grpc/proto-loader';
import type { ServiceName, Services } from '@parley/proto';
import type { Metrics } from '../metrics.ts';
import { injectTrace, inSpan, SpanKind, tracingEnabled } from '../tracing.ts';
import type { CallContext } from './context.ts';
import { type Method, methodsOf } from './definitions.ts';
import { fromServiceError } from './status.ts';

export interface ClientSettings {
  /** `host:port`, `k8s:///parley-chat:grpc`, `static:///…`. */
  address: string;
  /** The token to come with: our own service token, most of the time. */
  token?: () => string;
  metrics?: Metrics;
  /** Balancer and retries, as services/discovery makes them. */
  channelOptions?: ChannelOptions;
}

export interface CallSettings {
  signal?: AbortSignal;
  /** How long to wait; 10 s for unary calls, without end for streams. Never longer than the parent call's deadline. */
  timeoutMs?: number;
  /** Act in the name of this caller instead of as ourselves. */
  token?: string | undefined;
  /** The call that this one is made for: its deadline and request id travel on. */
  parent?: Pick<CallContext, 'deadline' | 'requestId'>;
  metadata?: Record<string, string>;
}

type Types<D> = D extends MethodDefinition<infer I, infer _O, infer _P, infer Out> ? { in: I; out: Out } : never;

export interface DuplexCall<I, O> extends AsyncIterable<O> {
  write(message: I | Buffer): boolean;
  end(): void;
  /** Ends the call at once. */
  cancel(): void;
  /** Calls `on` for every message; resolves when the server has ended, rejects with an AppError otherwise. */
  each(on: (message: O) => void): Promise<void>;
  /** The grpc-js stream, for whoever needs its back-pressure. */
  readonly stream: ClientDuplexStream<I, O>;
}

export interface ReadableCall<O> extends AsyncIterable<O> {
  cancel(): void;
  each(on: (message: O) => void): Promise<void>;
  readonly stream: ClientReadableStream<O>;
}

type Named<T> = keyof { [K in keyof T as string extends K ? never : number extends K ? never : K]: T[K] } & string;

type CallFor<H, T extends { in: unknown; out: unknown }> =
  H extends handleBidiStreamingCall<infer _I, infer _O>
    ? (settings?: CallSettings) => DuplexCall<T['in'], T['out']>
    : H extends handleServerStreamingCall<infer _I, infer _O>
      ? (request: T['in'], settings?: CallSettings) => ReadableCall<T['out']>
      : H extends handleUnaryCall<infer _I, infer _O>
        ? (request: T['in'], settings?: CallSettings) => Promise<T['out']>
        : never;

/** A service's methods as promises and streams. Errors are AppErrors. */
export type RpcClient<S extends ServiceName> = {
  [M in Named<Services[S]['handlers']> as Uncapitalize<M>]: CallFor<
    Services[S]['handlers'][M],
    Types<Services[S]['definition'][M]>
  >;
};

/**
 * The connections to one address, shared by the clients of all services there. Streams and unary calls have channels of
 * their own, since a connection's stream limit makes unary calls wait behind open streams.
 */
export class RpcChannel implements Disposable {
  readonly #settings: ClientSettings;
  readonly #unary: Client;
  readonly #streams: Client;
  readonly #options: ChannelOptions;

  constructor(settings: ClientSettings) {
    this.#settings = settings;
    const options: ChannelOptions = {
      'grpc.max_receive_message_length': 4 * 1024 * 1024,
      'grpc.keepalive_time_ms': 20_000,
      'grpc.keepalive_timeout_ms': 5000,
      'grpc.initial_reconnect_backoff_ms': 100,
      'grpc.max_reconnect_backoff_ms': 3000,
      ...settings.channelOptions,
    };
    this.#options = options;
    this.#unary = new Client(settings.address, credentials.createInsecure(), options);
    this.#streams = this.bare();
  }

  /**
   * A client with connections of its own to the same address, for whoever passes bytes on as they are: without our token,
   * metrics or traces. Whoever asked for it closes it.
   */
  bare(): Client {
    const options = { ...this.#options, 'grpc.use_local_subchannel_pool': 1 };
    return new Client(this.#settings.address, credentials.createInsecure(), options);
  }

  /** The token that this channel comes with where a call names no other. */
  get ownToken(): string | undefined {
    return this.#settings.token?.();
  }

  /** A typed client of one service at this address. */
  client<S extends ServiceName>(service: S): RpcClient<S> {
    const calls: Record<string, unknown> = {};
    for (const method of methodsOf(service)) {
      calls[method.name.charAt(0).toLowerCase() + method.name.slice(1)] = this.#call(method);
    }
    return calls as RpcClient<S>;
  }

  /** Resolves when a connection is ready. @throws AppError UNAVAILABLE when it is not within the time. */
  async ready(timeoutMs: number): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.#unary.waitForReady(Date.now() + timeoutMs, (error) => (error ? reject(error) : resolve()));
    });
  }

  [Symbol.dispose](): void {
    this.#unary.close();
    this.#streams.close();
  }

  #call(method: Method) {
    if (method.kind === 'unary')
      return (request: object, settings: CallSettings = {}) => this.#unaryCall(method, request, settings);
    if (method.kind === 'server_stream') {
      return (request: object, settings: CallSettings = {}): ReadableCall<unknown> => {
        const { encodeRequest, decodeResponse, path } = method;
        const stream = this.#streams.makeServerStreamRequest(
          path,
          encodeRequest,
          decodeResponse,
          request,
          this.#metadata(settings),
          options(settings, false),
        );
        return readable(stream, settings.signal);
      };
    }
    return (settings: CallSettings = {}): DuplexCall<unknown, unknown> => {
      const encode = (message: object) => (Buffer.isBuffer(message) ? message : method.encodeRequest(message));
      const stream = this.#streams.makeBidiStreamRequest(
        method.path,
        encode,
        method.decodeResponse,
        this.#metadata(settings),
        options(settings, false),
      );
      return {
        ...readable(stream, settings.signal),
        stream: stream as ClientDuplexStream<unknown, unknown>,
        write: (message) => stream.write(message as object),
        end: () => stream.end(),
      };
    };
  }

  async #unaryCall(method: Method, request: object, settings: CallSettings): Promise<unknown> {
    const run = () =>
      new Promise<unknown>((resolve, reject) => {
        const metadata = this.#metadata(settings);
        const call = this.#unary.makeUnaryRequest(
          method.path,
          method.encodeRequest,
          method.decodeResponse,
          request,
          metadata,
          options(settings, true),
          (error, response) => {
            settings.signal?.removeEventListener('abort', cancel);
            if (error) reject(fromServiceError(error));
            else resolve(response);
          },
        );
        const cancel = () => call.cancel();
        settings.signal?.addEventListener('abort', cancel, { once: true });
        if (settings.signal?.aborted) cancel();
      });
    const observed = this.#settings.metrics?.client(method.service, method.name, method.kind);
    observed?.started();
    const startedAt = performance.now();
    const done = (code: string) => observed?.handled(code, (performance.now() - startedAt) / 1000);
    try {
      const answer = tracingEnabled()
        ? await inSpan(method.path.slice(1), { 'rpc.system': 'grpc' }, run, { kind: SpanKind.CLIENT })
        : await run();
      done('OK');
      return answer;
    } catch (error) {
      done((error as { code: string }).code);
      throw error;
    }
  }

  #metadata(settings: CallSettings): Metadata {
    const metadata = new Metadata();
    const token = 'token' in settings ? settings.token : this.#settings.token?.();
    if (token) metadata.set('authorization', `Bearer ${token}`);
    if (settings.parent) metadata.set('x-request-id', settings.parent.requestId);
    for (const [key, value] of Object.entries(settings.metadata ?? {})) metadata.set(key, value);
    injectTrace(metadata, metadataSetter);
    return metadata;
  }
}

const defaultTimeoutMs = 10_000;

function options(settings: CallSettings, unary: boolean): CallOptions {
  const own = settings.timeoutMs ?? (unary ? defaultTimeoutMs : undefined);
  const deadline = Math.min(
    own === undefined ? Number.POSITIVE_INFINITY : Date.now() + own,
    settings.parent?.deadline ?? Number.POSITIVE_INFINITY,
  );
  return Number.isFinite(deadline) ? { deadline } : {};
}

function readable<O>(
  stream: ClientReadableStream<O> | ClientDuplexStream<never, O>,
  signal: AbortSignal | undefined,
): ReadableCall<O> {
  const cancel = () => stream.cancel();
  if (signal?.aborted) cancel();
  signal?.addEventListener('abort', cancel, { once: true });
  const done = () => signal?.removeEventListener('abort', cancel);
  stream.once('end', done);
  // An error with no reader yet must not end the process; `each` and the iterator see it all the same.
  let failed: ServiceError | undefined;
  stream.on('error', (error: ServiceError) => {
    failed = error;
    done();
  });
  return {
    stream: stream as ClientReadableStream<O>,
    cancel,
    each(on) {
      return new Promise<void>((resolve, reject) => {
        if (failed) {
          reject(fromServiceError(failed));
          return;
        }
        stream.on('data', on);
        stream.once('end', resolve);
        stream.once('error', (error: ServiceError) => reject(fromServiceError(error)));
      });
    },
    async *[Symbol.asyncIterator]() {
      try {
        yield* stream as AsyncIterable<O>;
      } catch (error) {
        throw fromServiceError(error as ServiceError);
      }
    },
  };
}

const metadataSetter = { set: (metadata: Metadata, key: string, value: string) => metadata.set(key, value) };
