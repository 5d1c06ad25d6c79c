import http from 'node:http';
import https from 'node:https';
import { StringDecoder } from 'node:string_decoder';
import type { KubeConfig } from '@kubernetes/client-node';

/** An answer of the API server other than 200. */
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

/**
 * GET requests to the API server of a kubeconfig. They do not keep the process alive, use a connection each (so that a
 * dead one is never used again) and leave authentication, token files and certificates to client-node.
 */
export class Api {
  readonly #config: KubeConfig;
  readonly #connectMs: number;

  constructor(config: KubeConfig, connectMs = 3_000) {
    this.#config = config;
    this.#connectMs = connectMs;
  }

  /** The namespace of the kubeconfig's context; in a pod the pod's own. */
  get namespace(): string {
    return this.#config.getContextObject(this.#config.getCurrentContext())?.namespace || 'default';
  }

  /** Reads one JSON document. @throws ApiError, or the network's error */
  async get<T>(path: string, query: Record<string, string>, signal: AbortSignal): Promise<T> {
    let text = '';
    for await (const chunk of this.#body(path, query, signal)) text += chunk;
    return JSON.parse(text) as T;
  }

  /** Reads a JSON document a line until the server ends the stream. @throws ApiError, or the network's error */
  async *lines<T>(path: string, query: Record<string, string>, signal: AbortSignal): AsyncGenerator<T> {
    let rest = '';
    for await (const chunk of this.#body(path, query, signal)) {
      const lines = (rest + chunk).split('\n');
      rest = lines.pop()!;
      for (const line of lines) if (line) yield JSON.parse(line) as T;
    }
  }

  async *#body(path: string, query: Record<string, string>, signal: AbortSignal): AsyncGenerator<string> {
    const response = await this.#open(path, query, signal);
    const decoder = new StringDecoder();
    const failed = response.statusCode !== 200;
    let error = '';
    for await (const chunk of response as AsyncIterable<Buffer>) {
      if (failed) error += decoder.write(chunk);
      else yield decoder.write(chunk);
    }
    if (failed) throw new ApiError(response.statusCode ?? 0, messageOf(error) ?? `HTTP status ${response.statusCode}`);
  }

  async #open(path: string, query: Record<string, string>, signal: AbortSignal): Promise<http.IncomingMessage> {
    const server = this.#config.getCurrentCluster()?.server;
    if (!server) throw new Error('the kubeconfig names no current cluster');
    const url = new URL(`${server.replace(/\/$/, '')}${path}`);
    url.search = new URLSearchParams(query).toString();
    const secure = url.protocol === 'https:';
    const options: https.RequestOptions = { headers: {}, signal };
    if (secure) await this.#config.applyToHTTPSOptions(options);
    return new Promise((resolve, reject) => {
      const request = (secure ? https : http).get(url, options, resolve);
      const late = () => request.destroy(new Error(`no connection to ${url.host} within ${this.#connectMs} ms`));
      const timer = setTimeout(late, this.#connectMs).unref();
      request.on('socket', (socket) => {
        socket.unref();
        socket.once(secure ? 'secureConnect' : 'connect', () => clearTimeout(timer));
      });
      request.on('close', () => clearTimeout(timer));
      request.on('error', reject);
    });
  }
}

function messageOf(body: string): string | undefined {
  try {
    return (JSON.parse(body) as { message?: string }).message;
  } catch {
    return undefined;
  }
}
