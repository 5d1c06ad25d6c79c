import {
  type ChannelOptions,
  Client,
  credentials,
  Metadata,
  Server,
  ServerCredentials,
  type ServiceError,
  status,
} from '@grpc/grpc-js';
import { type ClientPolicy, channelOptions } from '../src/index.ts';

const bytes = (value: Buffer) => value;
const say = { path: '/test.Echo/Say', requestStream: false, responseStream: false };
const watch = { path: '/test.Echo/Watch', requestStream: false, responseStream: true };
const codec = {
  requestSerialize: bytes,
  requestDeserialize: bytes,
  responseSerialize: bytes,
  responseDeserialize: bytes,
};

/** How a server answers: with its name, with an error, or never. */
export type Mood = 'well' | 'unavailable' | 'silent';

/** A real gRPC server on a free port of the loopback that answers every call with its name. */
export class EchoServer implements AsyncDisposable {
  readonly name: string;
  port = 0;
  mood: Mood = 'well';
  calls = 0;
  sessions = 0;
  /** How long an answer takes. */
  delayMs = 0;
  readonly #open = new Set<{ destroy(): void }>();
  readonly #server = new Server({ 'grpc.max_connection_age_ms': 2 ** 31 - 1 });

  constructor(name: string) {
    this.name = name;
  }

  static async start(name: string, host = '127.0.0.1'): Promise<EchoServer> {
    const echo = new EchoServer(name);
    echo.#server.addService({ say: { ...say, ...codec }, watch: { ...watch, ...codec } } as never, {
      say: (_call: unknown, answer: (error: Partial<ServiceError> | null, value?: Buffer) => void) =>
        echo.#answer(answer),
      watch: (call: { write(value: Buffer): void }) => call.write(Buffer.from(name)),
    });
    echo.port = await new Promise((resolve, reject) => {
      echo.#server.bindAsync(`${host}:0`, ServerCredentials.createInsecure(), (error, bound) =>
        error ? reject(error) : resolve(bound),
      );
    });
    // Counts connections: the promise is that changes of weights make none.
    const http2 = [
      ...(echo.#server as unknown as { http2Servers: Map<NodeJS.EventEmitter, unknown> }).http2Servers.keys(),
    ];
    for (const each of http2) {
      each.on('session', (session: { destroy(): void }) => {
        echo.sessions += 1;
        echo.#open.add(session);
      });
    }
    return echo;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Drops all connections, and goes on listening. */
  hangUp(): void {
    for (const session of this.#open) session.destroy();
    this.#open.clear();
  }

  /** Lets calls finish, refuses new ones with GOAWAY. */
  drain(): Promise<void> {
    return new Promise((resolve) => this.#server.tryShutdown(() => resolve()));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.forceShutdown();
  }

  #answer(answer: (error: Partial<ServiceError> | null, value?: Buffer) => void): void {
    this.calls += 1;
    if (this.mood === 'unavailable') answer({ code: status.UNAVAILABLE, details: `${this.name} is unwell` });
    else if (this.mood === 'well') setTimeout(() => answer(null, Buffer.from(this.name)), this.delayMs);
  }
}

/** A client of the fleet whose calls return the name of the server that answered. */
export class EchoClient implements Disposable {
  readonly client: Client;

  constructor(target: string, policy: Partial<ClientPolicy> = {}, options: ChannelOptions = {}) {
    const methods = [{ path: say.path, idempotent: false }];
    this.client = new Client(target, credentials.createInsecure(), {
      ...channelOptions({ methods, ...policy }),
      'grpc.use_local_subchannel_pool': 1,
      ...options,
    });
  }

  say(timeoutMs = 10_000): Promise<string> {
    return new Promise((resolve, reject) => {
      this.client.makeUnaryRequest(
        say.path,
        bytes,
        bytes,
        Buffer.alloc(0),
        new Metadata(),
        { deadline: Date.now() + timeoutMs },
        (error, value) => (error ? reject(error) : resolve(String(value))),
      );
    });
  }

  /** Names of the servers that answered so many calls, one after the other. */
  async sequence(calls: number): Promise<string[]> {
    const names: string[] = [];
    for (let call = 0; call < calls; call++) names.push(await this.say());
    return names;
  }

  [Symbol.dispose](): void {
    this.client.close();
  }
}

/** How often each name is there. */
export function tally(names: readonly string[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
