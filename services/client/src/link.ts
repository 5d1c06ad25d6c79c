/** One WebSocket to the gateway that keeps itself alive: hello, refs, probes, and back again after every loss. */
import { type BackoffLimits, backoffMs, reconnectLimits } from './backoff.ts';
import { ParleyError } from './problem.ts';
import type { ClientFrame, ServerFrame } from './wire.ts';

export const subprotocol = 'parley.v1.json';

/** What a connection signs in with. An empty token is a guest's. */
export interface Credential {
  token: string;
  /** Milliseconds of the epoch. */
  expiresAt?: number;
}

export type LinkState =
  | { status: 'stopped' }
  | { status: 'connecting'; attempt: number }
  | { status: 'online'; userId: string; username: string }
  /** Lost; the next attempt is at `until`, in milliseconds of the epoch. */
  | { status: 'waiting'; attempt: number; until: number; reason: string }
  /** The server wants a sign-in that the caller has to give. */
  | { status: 'signed-out'; reason: string };

export interface LinkOptions {
  /** The gateway's origin, such as `http://localhost:8080`. */
  url: string;
  /** @param refused the last token was not accepted: a new one is needed. */
  credential: (refused: boolean) => Promise<Credential>;
  onFrame: (frame: ServerFrame) => void;
  onState: (state: LinkState) => void;
  limits?: BackoffLimits;
}

const welcomeTimeoutMs = 10_000;
const answerTimeoutMs = 15_000;
/** After this long without a word from the server the link asks whether it is still there. */
const silenceMs = 25_000;
const refreshAheadMs = 60_000;
/** A link that lived this long was a good one: the next attempts begin anew. */
const steadyMs = 5_000;

interface Waiting {
  resolve(frame: ServerFrame): void;
  reject(error: ParleyError): void;
  timer: ReturnType<typeof setTimeout>;
}

export class Link {
  readonly #options: LinkOptions;
  readonly #waiting = new Map<string, Waiting>();
  #state: LinkState = { status: 'stopped' };
  #socket: WebSocket | undefined;
  #attempt = 0;
  #refs = 0;
  #refused = 0;
  #onlineSince = 0;
  #heardAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #refreshTimer: ReturnType<typeof setTimeout> | undefined;
  #probeTimer: ReturnType<typeof setInterval> | undefined;

  constructor(options: LinkOptions) {
    this.#options = options;
  }

  get state(): LinkState {
    return this.#state;
  }

  start(): void {
    if (this.#state.status === 'stopped' || this.#state.status === 'signed-out') void this.#connect();
  }

  stop(): void {
    this.#drop(1000, 'this client went away');
    this.#become({ status: 'stopped' });
  }

  /** The network or the page is back: try now, or ask whether the link is still alive. */
  wake(): void {
    if (this.#state.status === 'waiting') void this.#connect();
    else if (this.#state.status === 'online') void this.#probe();
  }

  /**
   * Sends a frame and waits for its answer.
   *
   * @throws ParleyError with the server's code; UNAVAILABLE when the link was lost before the answer came,
   *   DEADLINE_EXCEEDED when it did not come at all. In both cases the request may have been done.
   */
  request(frame: ClientFrame, timeoutMs = answerTimeoutMs): Promise<ServerFrame> {
    const socket = this.#socket;
    if (socket?.readyState !== 1) return Promise.reject(new ParleyError('UNAVAILABLE', 'not connected'));
    const ref = String(++this.#refs);
    return new Promise((resolve, reject) => {
      const expired = () => {
        this.#waiting.delete(ref);
        reject(new ParleyError('DEADLINE_EXCEEDED', `no answer within ${timeoutMs / 1000} s`));
      };
      this.#waiting.set(ref, { resolve, reject, timer: setTimeout(expired, timeoutMs) });
      socket.send(JSON.stringify({ ref, ...frame }));
    });
  }

  /** Sends a frame that nobody waits for; without a link it is forgotten. */
  tell(frame: ClientFrame): void {
    if (this.#state.status === 'online') this.#socket?.send(JSON.stringify(frame));
  }

  async #connect(): Promise<void> {
    this.#drop(1000, 'reconnecting');
    this.#become({ status: 'connecting', attempt: this.#attempt });
    const mine = this.#state;
    let credential: Credential;
    try {
      credential = await this.#options.credential(this.#refused > 0);
    } catch (error) {
      if (this.#state === mine) this.#credentialFailed(error);
      return;
    }
    // Stopped, or begun anew, while the credential was fetched.
    if (this.#state !== mine) return;
    this.#open(credential);
  }

  #credentialFailed(error: unknown): void {
    const { code, message } = error instanceof ParleyError ? error : { code: 'UNKNOWN', message: String(error) };
    if (code === 'UNAUTHENTICATED' || code === 'PERMISSION_DENIED')
      this.#become({ status: 'signed-out', reason: message });
    else this.#wait(message);
  }

  #open(credential: Credential): void {
    const socket = new WebSocket(webSocketUrl(this.#options.url), subprotocol);
    this.#socket = socket;
    this.#timer = setTimeout(() => this.#lost(socket, 0, 'the server did not answer'), welcomeTimeoutMs);
    socket.onopen = () => {
      this.#hello(credential).then(
        (frame) => this.#welcomed(socket, frame, credential),
        (error: ParleyError) => this.#lost(socket, error.code === 'UNAUTHENTICATED' ? 4401 : 0, error.message),
      );
    };
    socket.onmessage = ({ data }) => this.#heard(socket, data);
    socket.onclose = ({ code, reason }) => this.#lost(socket, code, reason);
    // What went wrong is said by the close event that follows.
    socket.onerror = () => {};
  }

  #hello(credential: Credential): Promise<ServerFrame> {
    return this.request({ hello: { token: credential.token } }, welcomeTimeoutMs);
  }

  #welcomed(socket: WebSocket, frame: ServerFrame, credential: Credential): void {
    if (this.#socket !== socket) return;
    clearTimeout(this.#timer);
    this.#refused = 0;
    this.#onlineSince = Date.now();
    this.#probeTimer = setInterval(() => {
      if (Date.now() - this.#heardAt >= silenceMs) void this.#probe();
    }, silenceMs / 5);
    this.#planRefresh(socket, credential);
    this.#become({ status: 'online', userId: frame.welcome?.user_id ?? '', username: frame.welcome?.username ?? '' });
  }

  #planRefresh(socket: WebSocket, { token, expiresAt }: Credential): void {
    if (!token || !expiresAt) return;
    const left = expiresAt - Date.now();
    const inMs = Math.max(1_000, left - Math.min(refreshAheadMs, left / 2));
    this.#refreshTimer = setTimeout(() => void this.#refresh(socket), inMs);
  }

  /** A second hello before the token expires, so that the session goes on without a break. */
  async #refresh(socket: WebSocket): Promise<void> {
    try {
      const credential = await this.#options.credential(false);
      if (this.#socket !== socket) return;
      await this.#hello(credential);
      if (this.#socket === socket) this.#planRefresh(socket, credential);
    } catch {
      // Once the old token has expired the server closes with 4401, and that is dealt with there.
      if (this.#socket === socket) this.#refreshTimer = setTimeout(() => void this.#refresh(socket), 5_000);
    }
  }

  /** Browsers hide pings, so a dead network shows only by an answer that does not come. */
  async #probe(): Promise<void> {
    const socket = this.#socket;
    if (!socket) return;
    try {
      await this.#hello(await this.#options.credential(false));
    } catch (error) {
      const silent = error instanceof ParleyError && error.code === 'DEADLINE_EXCEEDED';
      if (silent) this.#lost(socket, 0, 'the server is silent');
    }
  }

  #heard(socket: WebSocket, data: unknown): void {
    if (this.#socket !== socket) return;
    this.#heardAt = Date.now();
    const frame: ServerFrame = JSON.parse(String(data));
    const waiting = frame.ref ? this.#waiting.get(frame.ref) : undefined;
    if (!waiting) {
      this.#options.onFrame(frame);
      return;
    }
    this.#waiting.delete(frame.ref!);
    clearTimeout(waiting.timer);
    if (frame.error) {
      const { code, message, retry_after_ms } = frame.error;
      waiting.reject(new ParleyError(code, message, { retryAfterMs: Number(retry_after_ms) || undefined }));
      return;
    }
    waiting.resolve(frame);
    if (frame.event) this.#options.onFrame(frame);
  }

  #lost(socket: WebSocket, code: number, reason: string): void {
    if (this.#socket !== socket) return;
    const steady = this.#onlineSince > 0 && Date.now() - this.#onlineSince > steadyMs;
    if (steady) this.#attempt = 0;
    this.#drop(1000, 'lost');
    if (code === 4401) this.#refused++;
    // A new token that is refused as well is not a matter of time.
    if (code !== 4401) this.#wait(reasonOf(code, reason));
    else if (this.#refused > 1) this.#become({ status: 'signed-out', reason: 'your session has ended: sign in again' });
    else this.#wait('your session has to be renewed');
  }

  #wait(reason: string): void {
    const inMs = backoffMs(this.#attempt, this.#options.limits ?? reconnectLimits);
    this.#attempt++;
    this.#timer = setTimeout(() => void this.#connect(), inMs);
    this.#become({ status: 'waiting', attempt: this.#attempt, until: Date.now() + inMs, reason });
  }

  #drop(code: number, reason: string): void {
    clearTimeout(this.#timer);
    clearTimeout(this.#refreshTimer);
    clearInterval(this.#probeTimer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.#onlineSince = 0;
    socket?.close(code, reason);
    for (const { reject, timer } of this.#waiting.values()) {
      clearTimeout(timer);
      reject(new ParleyError('UNAVAILABLE', 'the connection was lost'));
    }
    this.#waiting.clear();
  }

  #become(state: LinkState): void {
    this.#state = state;
    this.#options.onState(state);
  }
}

function reasonOf(code: number, reason: string): string {
  if (code === 1001) return 'the server is restarting';
  if (code === 4408) return 'this connection was too slow';
  return reason || 'the server cannot be reached';
}

/** The address of the WebSocket beside an origin. */
export function webSocketUrl(origin: string): string {
  const url = new URL('/v1/ws', origin);
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:';
  return url.href;
}
