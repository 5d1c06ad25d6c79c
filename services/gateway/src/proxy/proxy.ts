/** gRPC of all services behind the gateway's address: every call goes on, unread, to the service that answers it. */
import {
  type Metadata,
  Server,
  ServerCredentials,
  type ServerUnaryCall,
  type sendUnaryData,
  status,
} from '@grpc/grpc-js';
import {
  addReflection,
  defaultServerOptions,
  type Logger,
  type Method,
  type Metrics,
  methodsOf,
  portError,
  type RpcChannel,
} from '@parley/kit';
import { type ServiceName, serviceFiles } from '@parley/proto';
import { HealthImplementation } from 'grpc-health-check';
import { type Target, targetOf } from '../gateway.ts';
import { Connections } from './connections.ts';
import { asIs, type Incoming, onward, type PassedStream, passStream, passUnary } from './pass.ts';

export interface ProxySettings {
  port: number;
  channels: Record<Target, RpcChannel>;
  log: Logger;
  metrics: Metrics;
}

export interface GrpcProxy extends AsyncDisposable {
  port: number;
  /** Health says NOT_SERVING from now on; calls still work. */
  notServing(): void;
  /** Ends streams with UNAVAILABLE and their cursor, lets unary calls finish, and cuts off what is left in the end. */
  drain(graceMs: number): Promise<void>;
}

const services = Object.keys(serviceFiles) as ServiceName[];

/** @throws StartError where the port is in use. */
export async function serveProxy(settings: ProxySettings): Promise<GrpcProxy> {
  const proxy = new RpcProxy(settings);
  await proxy.listen();
  return proxy;
}

class RpcProxy implements GrpcProxy {
  port = 0;
  readonly #settings: ProxySettings;
  readonly #server = new Server(defaultServerOptions);
  readonly #health = new HealthImplementation({ '': 'SERVING' });
  readonly #streams = new Set<PassedStream>();
  /** Streams and unary calls apart: at a connection's stream limit unary calls would wait behind open streams. */
  readonly #connections = new Map<RpcChannel, { unary: Connections; streams: Connections }>();

  constructor(settings: ProxySettings) {
    this.#settings = settings;
    for (const name of services) this.#add(name);
    for (const name of services) this.#health.setStatus(name, 'SERVING');
    this.#health.addToServer(this.#server);
    addReflection(this.#server, services);
  }

  async listen(): Promise<void> {
    const { port } = this.#settings;
    this.port = await new Promise((resolve, reject) => {
      this.#server.bindAsync(`[::]:${port}`, ServerCredentials.createInsecure(), (error, bound) => {
        const code = error && /EADDRINUSE|EACCES/.exec(error.message)?.[0];
        if (code) reject(portError(Object.assign(error, { code }), port, 'PARLEY_GRPC_PORT'));
        else if (error) reject(error);
        else resolve(bound);
      });
    });
  }

  notServing(): void {
    for (const name of ['', ...services]) this.#health.setStatus(name, 'NOT_SERVING');
  }

  async drain(graceMs: number): Promise<void> {
    this.notServing();
    const closed = new Promise<void>((resolve) => this.#server.tryShutdown(() => resolve()));
    const timers = [...this.#streams].map((stream) =>
      setTimeout(() => stream.endUnavailable(), Math.random() * Math.min(1000, graceMs / 4)),
    );
    const late = new Promise<void>((resolve) => timers.push(setTimeout(resolve, graceMs)));
    await Promise.race([closed, late]);
    for (const timer of timers) clearTimeout(timer);
    this.#server.forceShutdown();
    for (const { unary, streams } of this.#connections.values()) {
      unary[Symbol.dispose]();
      streams[Symbol.dispose]();
    }
    this.#connections.clear();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.drain(2000);
  }

  #add(name: ServiceName): void {
    const methods = methodsOf(name);
    const channel = this.#settings.channels[targetOf[name]];
    let connections = this.#connections.get(channel);
    if (connections === undefined) {
      connections = { unary: new Connections(channel), streams: new Connections(channel) };
      this.#connections.set(channel, connections);
    }
    const { unary, streams } = connections;
    const definition = methods.map(({ name: method, definition: defined }) => [
      method,
      {
        ...defined,
        requestSerialize: asIs,
        requestDeserialize: asIs,
        responseSerialize: asIs,
        responseDeserialize: asIs,
      },
    ]);
    const handlers = methods.map((method) => [
      method.name,
      method.kind === 'unary' ? this.#unary(method, unary, channel) : this.#stream(method, streams),
    ]);
    this.#server.addService(Object.fromEntries(definition) as never, Object.fromEntries(handlers) as never);
  }

  #unary(method: Method, connections: Connections, channel: RpcChannel) {
    const isSignIn = signIns.has(method.path);
    return (call: ServerUnaryCall<Buffer, Buffer>, answer: sendUnaryData<Buffer>) => {
      const metadata = onward(call.metadata);
      if (isSignIn) vouch(metadata, call.getPeer(), channel.ownToken);
      passUnary(method, call, metadata, connections.lease(), answer, this.#observed(method));
    };
  }

  #stream(method: Method, connections: Connections) {
    return (call: Exclude<Incoming, ServerUnaryCall<Buffer, Buffer>>) => {
      const ended = this.#observed(method);
      const stream = passStream(method, call, connections.lease(), (code) => {
        this.#streams.delete(stream);
        ended(code);
      });
      this.#streams.add(stream);
    };
  }

  /** Counts a call; what it answers is called with how the call ended. */
  #observed(method: Method): (code: status) => void {
    const { metrics, log } = this.#settings;
    const observed = metrics.server(method.service, method.name, method.kind);
    const startedAt = performance.now();
    observed.started();
    return (code) => {
      const ms = performance.now() - startedAt;
      observed.handled(status[code], ms / 1000);
      log.info({ rpc: method.path.slice(1), code: status[code], durationMs: Math.round(ms * 1e3) / 1e3 }, 'rpc.passed');
    };
  }
}

const signIns = new Set(['Register', 'Login', 'Refresh', 'Logout'].map((name) => `/auth.AuthService/${name}`));

/** Who signs in has no token: in our own name we say which address asks, since each address has its own limit. */
function vouch(metadata: Metadata, peer: string, ownToken: string | undefined): void {
  if (ownToken === undefined || metadata.get('authorization').length > 0) return;
  metadata.set('authorization', `Bearer ${ownToken}`);
  metadata.set('x-forwarded-for', peer);
}
