import type { RequestOptions } from 'node:https';
import { HttpMethod, type KubeConfig, RequestContext } from '@kubernetes/client-node';
import { Agent, type Dispatcher } from 'undici';

/** How long headers are used before client-node is asked again: it rereads a rotated token file. */
const CREDENTIALS_TTL_MS = 10_000;
const CONNECT_TIMEOUT_MS = 5_000;

interface Credentials {
  headers: Record<string, string>;
  dispatcher: Dispatcher;
  untilMs: number;
}

/**
 * Connections to the API server by the rules of a KubeConfig, kept and reused. (client-node 2.0 makes a new agent for
 * every call, which is a TLS handshake for each.) HTTP/1.1 on purpose: over HTTP/2 one half-open connection would carry
 * every watch and every call.
 */
export class Connection {
  readonly origin: string;
  /** `name:port`, as metrics say it. */
  readonly host: string;
  /** The path under which the API is served, for servers behind a proxy; mostly empty. */
  readonly base: string;
  readonly #config: KubeConfig;
  #credentials: Credentials | undefined;
  #asked: Promise<Credentials> | undefined;

  constructor(config: KubeConfig) {
    const cluster = config.getCurrentCluster();
    if (!cluster) throw new Error('the kubeconfig names no current cluster');
    const url = new URL(cluster.server);
    this.origin = url.origin;
    this.host = url.host;
    this.base = url.pathname.replace(/\/$/, '');
    this.#config = config;
  }

  async credentials(): Promise<Credentials> {
    const known = this.#credentials;
    if (known && performance.now() < known.untilMs) return known;
    // Calls that come together wait for one answer: each would make connections of its own, and nobody would close them.
    this.#asked ??= this.#ask(known).finally(() => {
      this.#asked = undefined;
    });
    return await this.#asked;
  }

  async #ask(known: Credentials | undefined): Promise<Credentials> {
    const fresh = this.#config.getCurrentCluster()?.proxyUrl ? await this.#proxied() : await this.#direct();
    // The first dispatcher stays: its connections are what there is to keep.
    if (known) fresh.dispatcher = known.dispatcher;
    this.#credentials = fresh;
    return fresh;
  }

  /** Forgets the token, after a 401. */
  forget(): void {
    if (this.#credentials) this.#credentials.untilMs = 0;
  }

  async close(): Promise<void> {
    await this.#credentials?.dispatcher.destroy();
    this.#credentials = undefined;
  }

  async #direct(): Promise<Credentials> {
    const options: RequestOptions = {};
    await this.#config.applyToHTTPSOptions(options);
    const { ca, cert, key, pfx, passphrase, rejectUnauthorized, servername } = options;
    const tls = Object.fromEntries(
      Object.entries({ ca, cert, key, pfx, passphrase, rejectUnauthorized, servername }).filter(([, v]) => v != null),
    );
    const headers = Object.fromEntries(Object.entries(options.headers ?? {}).map(([name, v]) => [name, String(v)]));
    if (options.auth) headers['Authorization'] = `Basic ${Buffer.from(options.auth).toString('base64')}`;
    const dispatcher =
      this.#credentials?.dispatcher ??
      new Agent({
        connect: { ...tls, timeout: CONNECT_TIMEOUT_MS, keepAlive: true, keepAliveInitialDelay: 15_000 },
        allowH2: false,
        connections: 64,
        pipelining: 1,
      });
    return { headers, dispatcher, untilMs: performance.now() + CREDENTIALS_TTL_MS };
  }

  /** Through a proxy: as client-node does it. */
  async #proxied(): Promise<Credentials> {
    const context = new RequestContext(this.origin, HttpMethod.GET);
    await this.#config.applySecurityAuthentication(context);
    const dispatcher = context.getDispatcher();
    if (!dispatcher) throw new Error('client-node knows no way through the proxy of this cluster');
    return {
      headers: context.getHeaders(),
      dispatcher: dispatcher as unknown as Dispatcher,
      untilMs: performance.now() + CREDENTIALS_TTL_MS,
    };
  }
}
