import type { Metadata } from '@grpc/grpc-js';
import type { Caller } from '../auth/caller.ts';
import type { Logger } from '../log.ts';

/** What a handler knows of the call that it answers. */
export interface CallContext {
  readonly caller: Caller;
  /** The token the caller came with, to be passed on in his name. */
  readonly token: string | undefined;
  readonly metadata: Metadata;
  /** Aborted when the caller cancels, his deadline passes, he is signed out, or the server drains (then the reason is an AppError). */
  readonly signal: AbortSignal;
  /** When the caller stops waiting, in milliseconds since 1970; Infinity without a deadline. */
  readonly deadline: number;
  /** Travels in x-request-id, in and out. */
  readonly requestId: string;
  /** `chat.ChatService/SendMessage`. */
  readonly rpc: string;
  /** The peer's address, or the one a gateway of ours vouches for. */
  readonly peer: string;
  readonly log: Logger;
}
