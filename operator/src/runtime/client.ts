import type { KubeConfig } from '@kubernetes/client-node';
import type { Dispatcher } from 'undici';
import { ApiError } from './api-error.ts';
import { Connection } from './connection.ts';
import type { Metrics } from './metrics.ts';
import { monotonicMs, pause } from './timing.ts';

export interface ApiCall {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  path: string;
  query?: Record<string, string | number | boolean | undefined>;
  /** Sent as JSON. */
  body?: unknown;
  contentType?: string;
  /** Longest wait for an answer; 15 s by default. */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface ApiClientOptions {
  userAgent?: string;
  metrics?: Metrics;
}

const TIMEOUT_MS = 15_000;
const RETRIES_WHEN_BUSY = 3;

/** Calls the API server. */
export class ApiClient {
  readonly #connection: Connection;
  readonly #options: ApiClientOptions;
  readonly #fence: (() => void) | undefined;

  /** Of a KubeConfig; a {@link Connection} shares its sockets. */
  constructor(target: KubeConfig | Connection, options: ApiClientOptions = {}, fence?: () => void) {
    this.#connection = target instanceof Connection ? target : new Connection(target);
    this.#options = options;
    this.#fence = fence;
  }

  /**
   * The same client, with `check` called right before each write leaves. What it throws ends the write: that is how a
   * leader that lost its Lease changes nothing.
   */
  fenced(check: () => void): ApiClient {
    return new ApiClient(this.#connection, this.#options, check);
  }

  /**
   * One call and its answer, read as JSON. Waits and tries again where the server says that it is busy (429).
   * @throws ApiError for an answer that is no success; other errors when there was no answer.
   */
  async request<T>(call: ApiCall): Promise<T> {
    for (let attempt = 0; ; attempt++) {
      const response = await this.#send(call, call.timeoutMs ?? TIMEOUT_MS);
      const text = await response.body.text();
      if (response.statusCode < 300) return JSON.parse(text) as T;
      const error = ApiError.from(response.statusCode, text, header(response, 'retry-after'));
      if (error.code !== 429 || error.retryAfterMs === undefined || attempt >= RETRIES_WHEN_BUSY) throw error;
      await pause(Math.min(error.retryAfterMs, 5_000), call.signal ?? new AbortController().signal);
      call.signal?.throwIfAborted();
    }
  }

  /** A watch: its lines, parsed, as they come. Ends when the server closes it; `signal` cuts it. */
  async *watch<T>(path: string, query: ApiCall['query'], signal: AbortSignal): AsyncGenerator<T> {
    const response = await this.#send({ method: 'GET', path, query, signal }, 0);
    if (response.statusCode >= 300) {
      throw ApiError.from(response.statusCode, await response.body.text(), header(response, 'retry-after'));
    }
    const decoder = new TextDecoder();
    let rest = '';
    for await (const chunk of response.body) {
      rest += decoder.decode(chunk as Uint8Array, { stream: true });
      let from = 0;
      for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', from)) {
        if (end > from) yield JSON.parse(rest.slice(from, end)) as T;
        from = end + 1;
      }
      rest = rest.slice(from);
    }
  }

  /** Closes the connections, of every client that shares them. */
  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #send(call: ApiCall, bodyTimeoutMs: number): Promise<Dispatcher.ResponseData> {
    const { headers, dispatcher } = await this.#connection.credentials();
    const body = call.body === undefined ? null : JSON.stringify(call.body);
    const begun = monotonicMs();
    if (call.method !== 'GET') this.#fence?.();
    try {
      const response = await dispatcher.request({
        origin: this.#connection.origin,
        path: `${this.#connection.base}${call.path}${queryOf(call.query)}`,
        method: call.method,
        headers: {
          ...headers,
          accept: 'application/json',
          'user-agent': this.#options.userAgent ?? 'parley-operator',
          ...(body === null ? {} : { 'content-type': call.contentType ?? 'application/json' }),
        },
        body,
        headersTimeout: call.timeoutMs ?? TIMEOUT_MS,
        bodyTimeout: bodyTimeoutMs,
        signal: call.signal ?? null,
      });
      if (response.statusCode === 401) this.#connection.forget();
      this.#count(call.method, String(response.statusCode), begun);
      return response;
    } catch (error) {
      this.#count(call.method, '<error>', begun);
      throw error;
    }
  }

  #count(method: string, code: string, begunMs: number): void {
    const metrics = this.#options.metrics;
    const { host } = this.#connection;
    metrics?.restRequests.inc({ code, method, host });
    metrics?.restDuration.observe({ verb: method, host }, (monotonicMs() - begunMs) / 1000);
  }
}

function header(response: Dispatcher.ResponseData, name: string): string | undefined {
  const value = response.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function queryOf(query: ApiCall['query']): string {
  const given = Object.entries(query ?? {}).filter(([, value]) => value !== undefined && value !== '');
  return given.length === 0 ? '' : `?${new URLSearchParams(given.map(([k, v]): [string, string] => [k, String(v)]))}`;
}
