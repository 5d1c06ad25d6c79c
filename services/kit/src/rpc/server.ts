/**
 * The gRPC server that every service runs on: grpc-js moves bytes, the kit decodes them, so that bad bytes are the
 * caller's INVALID_ARGUMENT and not an INTERNAL of ours; around every handler are tracing, metrics, logging and sign-in.
 */
import { randomUUID } from 'node:crypto';
import {
  logVerbosity,
  type Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type ServerOptions,
  type ServerUnaryCall,
  type ServerWritableStream,
  type sendUnaryData,
  setLogVerbosity,
  status,
} from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { guest } from '../auth/caller.ts';
import { bearer, type TokenVerifier } from '../auth/tokens.ts';
import { AppError } from '../errors.ts';
import type { Logger } from '../log.ts';
import type { Metrics } from '../metrics.ts';
import { portError } from '../operations.ts';
import { extractTrace, inSpan, SpanKind, tracingEnabled } from '../tracing.ts';
import { type AuthMode, checkAccess } from './access.ts';
import type { CallContext } from './context.ts';
import { type Method, methodsOf } from './definitions.ts';
import { cutOffLater } from './http2-stream.ts';
import type { ServedService } from './implementation.ts';
import { addReflection } from './reflection.ts';
import { IncomingStream, OutgoingStream } from './server-streams.ts';
import { toStatus } from './status.ts';

export interface ServerSettings {
  port: number;
  services: ServedService[];
  authMode: AuthMode;
  verifier: TokenVerifier;
  log: Logger;
  metrics: Metrics;
  options?: ServerOptions;
}

// What grpc-js prints on standard error, our errors and logs say too.
setLogVerbosity(logVerbosity.NONE);

/** What every server allows: a flood on one connection, or a message that is too large, ends there. */
export const defaultServerOptions: ServerOptions = {
  'grpc.max_receive_message_length': 4 * 1024 * 1024,
  'grpc.max_concurrent_streams': 1000,
  'grpc.keepalive_time_ms': 30_000,
  'grpc.keepalive_timeout_ms': 10_000,
  // What it would count for each call and message nobody asks for: metrics and logs tell it.
  'grpc.enable_channelz': 0,
};

type AnyCall =
  | ServerUnaryCall<Buffer, unknown>
  | ServerWritableStream<Buffer, unknown>
  | ServerDuplexStream<Buffer, unknown>;

/** A gRPC server that listens. */
export class RpcServer implements AsyncDisposable {
  readonly #server: Server;
  readonly #health: HealthImplementation;
  readonly #settings: ServerSettings;
  readonly #calls = new Set<LiveCall>();
  /** How long a message may be. */
  readonly #mostBytes: number;
  port = 0;

  private constructor(settings: ServerSettings) {
    this.#settings = settings;
    const options = { ...defaultServerOptions, ...settings.options };
    this.#server = new Server(options);
    const mostBytes = options['grpc.max_receive_message_length'] ?? -1;
    this.#mostBytes = mostBytes < 0 ? Number.POSITIVE_INFINITY : mostBytes;
    for (const service of settings.services) this.#add(service);
    this.#health = new HealthImplementation({ '': 'SERVING' });
    for (const { name } of settings.services) this.#health.setStatus(name, 'SERVING');
    this.#health.addToServer(this.#server);
    const services = settings.services.map(({ name }) => name);
    addReflection(this.#server, services);
  }

  /** Starts listening. @throws StartError where the port is in use. */
  static async listen(settings: ServerSettings): Promise<RpcServer> {
    const server = new RpcServer(settings);
    server.port = await new Promise((resolve, reject) => {
      server.#server.bindAsync(`[::]:${settings.port}`, ServerCredentials.createInsecure(), (error, port) => {
        if (error) reject(bindError(error, settings.port));
        else resolve(port);
      });
    });
    return server;
  }

  /** Health says NOT_SERVING from now on, for balancers that ask; calls still work. */
  notServing(): void {
    this.#health.setStatus('', 'NOT_SERVING');
    for (const { name } of this.#settings.services) this.#health.setStatus(name, 'NOT_SERVING');
  }

  /**
   * Stops without losing anything: refuses new connections, ends streams in jittered batches with UNAVAILABLE
   * (their handlers add the cursor), lets unary calls finish, and cuts off what is left when the time is up.
   */
  async drain(graceMs: number): Promise<void> {
    this.notServing();
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const timers: NodeJS.Timeout[] = [];
    for (const call of this.#calls) {
      if (call.method.kind === 'unary') continue;
      const error = new AppError('UNAVAILABLE', 'this server is shutting down: connect again', { retryAfterMs: 0 });
      timers.push(setTimeout(() => call.abort(error), Math.random() * Math.min(1000, graceMs / 4)));
    }
    let deadline: NodeJS.Timeout | undefined;
    const late = new Promise<void>((resolve) => {
      deadline = setTimeout(resolve, graceMs);
    });
    await Promise.race([closed, late]);
    for (const timer of [...timers, deadline]) clearTimeout(timer);
    this.#server.forceShutdown();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(2000);
  }

  #add(service: ServedService): void {
    const methods = methodsOf(service.name);
    const handlers: Record<string, (call: never, callback: never) => void> = {};
    for (const method of methods) {
      const key = method.name.charAt(0).toLowerCase() + method.name.slice(1);
      const handler = service.handlers[key];
      const access = service.access[key];
      if (handler === undefined || access === undefined) throw new Error(`${service.name} does not implement ${key}`);
      const observed = this.#settings.metrics.server(service.name, method.name, method.kind);
      handlers[method.name] = (call: AnyCall, callback: sendUnaryData<unknown>) => {
        const live = new LiveCall(method, call, this.#settings);
        this.#calls.add(live);
        observed.started();
        void this.#run(live, call, callback, handler as never, access).then((code) => {
          this.#calls.delete(live);
          live.end();
          const seconds = live.seconds();
          observed.handled(code, seconds);
          const { requestId, caller } = live.context;
          const userId = caller.kind === 'guest' ? undefined : caller.userId;
          this.#settings.log.info(
            { rpc: live.context.rpc, code, durationMs: Math.round(seconds * 1e6) / 1e3, requestId, userId },
            'rpc.handled',
          );
        });
      };
    }
    const definition = Object.fromEntries(
      methods.map((method) => [
        method.name,
        { ...method.definition, requestDeserialize: asIs, responseSerialize: encoderOf(method) },
      ]),
    );
    this.#server.addService(definition as never, handlers as never);
  }

  /** Runs one call to its end and answers its code. Never throws. */
  async #run(
    live: LiveCall,
    call: AnyCall,
    callback: sendUnaryData<unknown>,
    handler: Handler,
    access: ServedService['access'][string],
  ): Promise<string> {
    const { method } = live;
    try {
      live.signIn();
      checkAccess(access, this.#settings.authMode, live.context.caller);
      const work = () => this.#answer(live, call, callback, handler);
      if (!tracingEnabled()) await work();
      else {
        const parent = extractTrace(call.metadata, metadataGetter);
        await inSpan(
          live.context.rpc,
          { 'rpc.system': 'grpc', 'rpc.service': method.service, 'rpc.method': method.name },
          work,
          {
            kind: SpanKind.SERVER,
            parent,
          },
        );
      }
      return 'OK';
    } catch (error) {
      if (call.cancelled) return 'CANCELLED';
      const shown = toStatus(error);
      if (shown.code === status.INTERNAL || shown.code === status.UNKNOWN) {
        this.#settings.log.error(
          { rpc: live.context.rpc, requestId: live.context.requestId, err: error },
          'rpc.failed',
        );
      }
      if (method.kind === 'unary') callback(shown, null);
      else {
        (call as ServerWritableStream<Buffer, unknown>).emit('error', shown);
        cutOffLater(call as ServerWritableStream<Buffer, unknown>);
      }
      return status[shown.code];
    }
  }

  async #answer(live: LiveCall, call: AnyCall, callback: sendUnaryData<unknown>, handler: Handler): Promise<void> {
    const { method, context } = live;
    if (method.kind === 'unary') {
      callback(null, await handler(method.decodeRequest((call as ServerUnaryCall<Buffer, unknown>).request), context));
    } else if (method.kind === 'server_stream') {
      const stream = call as ServerWritableStream<Buffer, unknown>;
      await handler(method.decodeRequest(stream.request), context, new OutgoingStream(stream, method));
      if (!stream.cancelled) stream.end();
    } else {
      const stream = call as ServerDuplexStream<Buffer, unknown>;
      const incoming = new IncomingStream(stream, method, context.signal, this.#mostBytes);
      await handler(incoming, context, new OutgoingStream(stream, method));
      if (!stream.cancelled) stream.end();
    }
  }
}

type Handler = (...args: unknown[]) => Promise<unknown>;

/** A call under way, and how to end it from outside. */
class LiveCall {
  readonly method: Method;
  readonly context: CallContext & { caller: CallContext['caller'] };
  readonly #controller = new AbortController();
  readonly #verifier: TokenVerifier;
  readonly #startedAt = performance.now();
  #ended = false;

  constructor(method: Method, call: AnyCall, { verifier, log }: ServerSettings) {
    this.method = method;
    this.#verifier = verifier;
    const deadline = call.getDeadline();
    this.context = {
      caller: guest,
      token: undefined,
      metadata: call.metadata,
      signal: this.#controller.signal,
      deadline: deadline instanceof Date ? deadline.getTime() : deadline,
      requestId: first(call.metadata, 'x-request-id')?.slice(0, 128) || randomUUID(),
      rpc: method.path.slice(1),
      peer: call.getPeer(),
      log,
    };
    // grpc-js says so of every call whose stream closes, of those that were answered too.
    (call as ServerUnaryCall<Buffer, unknown>).on('cancelled', () => {
      if (!this.#ended) this.abort(new AppError('CANCELLED', 'the caller has gone'));
    });
  }

  /** Reads the token. A bad one is UNAUTHENTICATED even where none is needed. */
  signIn(): void {
    const token = bearer(first(this.context.metadata, 'authorization'));
    if (token === undefined) return;
    const caller = this.#verifier.verify(token);
    Object.assign(this.context, { caller, token });
    const forwarded = caller.kind === 'service' ? first(this.context.metadata, 'x-forwarded-for') : undefined;
    if (forwarded) Object.assign(this.context, { peer: forwarded });
  }

  abort(error: AppError): void {
    if (!this.#controller.signal.aborted) this.#controller.abort(error);
  }

  end(): void {
    this.#ended = true;
  }

  seconds(): number {
    return (performance.now() - this.#startedAt) / 1000;
  }
}

const asIs = (bytes: Buffer): Buffer => bytes;

/** Bytes that a handler encoded itself go out as they are. */
function encoderOf(method: Method): (value: object) => Buffer {
  return (value) => (Buffer.isBuffer(value) ? value : method.encodeResponse(value));
}

function first(metadata: Metadata, key: string): string | undefined {
  return metadata.get(key)[0]?.toString();
}

const metadataGetter = {
  get: (metadata: Metadata, key: string) => first(metadata, key),
  keys: (metadata: Metadata) => Object.keys(metadata.getMap()),
};

function bindError(error: Error, port: number): Error {
  const code = /EADDRINUSE|EACCES/.exec(error.message)?.[0];
  return code ? portError(Object.assign(error, { code }), port, 'PARLEY_GRPC_PORT') : error;
}
