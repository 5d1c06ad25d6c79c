/** The streams that are open on this pod, and how they end: signed out, token expired, draining, moved to another pod. */
import { AppError, type Caller } from '@parley/kit';

/** As long as clocks may differ, like the verifier. */
const toleranceSeconds = 10;

export interface OpenStream {
  /** Whose token it was opened with; a new one may come while it is open. */
  caller: Caller;
  /** Whether it can be asked to go on elsewhere. */
  readonly movable: boolean;
  /** Ends it; what it had is in the cursor that goes along. */
  end(error: AppError): void;
}

export class OpenStreams {
  readonly #open = new Set<OpenStream>();
  #draining = false;

  get size(): number {
    return this.#open.size;
  }

  /** @throws AppError UNAVAILABLE while the pod drains. */
  add(stream: OpenStream): void {
    if (this.#draining)
      throw new AppError('UNAVAILABLE', 'this server is shutting down: connect again', { retryAfterMs: 0 });
    this.#open.add(stream);
  }

  delete(stream: OpenStream): void {
    this.#open.delete(stream);
  }

  /** Ends the streams of users whose tokens are not good any more. */
  revoke(isRevoked: (caller: Caller) => boolean): void {
    for (const stream of this.#open) if (isRevoked(stream.caller)) stream.end(signedOut());
  }

  /** Ends streams whose token has ended. Those of services go on with a new one. */
  expire(nowMs = Date.now()): void {
    const now = nowMs / 1000 - toleranceSeconds;
    for (const stream of this.#open) {
      const { caller } = stream;
      if (caller.kind === 'guest' || caller.expiresAt > now) continue;
      stream.end(caller.kind === 'service' ? moved('this token has ended: connect again with a new one') : expired());
    }
  }

  /** Asks some of those that can resume to go elsewhere. @returns how many. */
  move(count: number): number {
    const movable = [...this.#open].filter((stream) => stream.movable);
    const chosen: OpenStream[] = [];
    while (chosen.length < count && movable.length > 0) {
      chosen.push(...movable.splice(Math.floor(Math.random() * movable.length), 1));
    }
    for (const stream of chosen) stream.end(moved('this server has more than its share of streams: connect again'));
    return chosen.length;
  }

  /** Ends all of them in jittered batches within the time. */
  async drain(withinMs: number): Promise<void> {
    this.#draining = true;
    const streams = [...this.#open];
    const batches = Math.max(1, Math.min(20, Math.ceil(streams.length / 10)));
    const perBatch = Math.ceil(streams.length / batches);
    for (let i = 0; i < streams.length; i += perBatch) {
      for (const stream of streams.slice(i, i + perBatch))
        stream.end(moved('this server is shutting down: connect again'));
      if (i + perBatch < streams.length) {
        await new Promise((resolve) => setTimeout(resolve, (withinMs / batches) * (0.5 + Math.random() / 2)));
      }
    }
  }
}

const moved = (message: string) => new AppError('UNAVAILABLE', message, { retryAfterMs: 0 });
const expired = () =>
  new AppError('UNAUTHENTICATED', 'the access token has expired: sign in again', { reason: 'TOKEN_EXPIRED' });
const signedOut = () => new AppError('UNAUTHENTICATED', 'you were signed out: sign in again', { reason: 'SIGNED_OUT' });
