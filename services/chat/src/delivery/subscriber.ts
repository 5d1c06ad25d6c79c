/**
 * Who reads a room's feed: at the end of it, or behind. His queue is his place in the feed, plus what was written for him
 * and has not left yet, so that a slow one costs no copies; beyond a bound he is sent away with his cursor.
 */
import { AppError } from '@parley/kit';
import type { Lost, Position } from '../log/log.ts';
import type { Form } from '../messages/frames.ts';
import type { RoomRecord } from '../rooms/record.ts';

/** Where a subscriber's bytes go. Many subscribers may share one: a Connect stream with its rooms. */
export interface Outlet {
  /** Writes whole gRPC messages. */
  write(framed: Buffer): void;
  /** Bytes written that have not left. */
  readonly pendingBytes: number;
  /** Above this, subscribers wait with more. */
  readonly holdBytes: number;
  /** How many may wait, what is not written yet included. */
  readonly mostBytes: number;
  /** Calls back once when less than half of `holdBytes` waits. */
  whenDrained(call: () => void): void;
}

export interface Subscriber {
  readonly form: Form;
  readonly outlet: Outlet;
  /** Live texts of this user are left out after this sequence: JoinRoom. */
  readonly without: { userId: string; after: number } | undefined;
  /** The log has lost what comes after his place: he is told, and goes on with what is kept. False where he cannot be told. */
  lost(reason: Lost, head: Position): boolean;
  /** The room's record has changed; undefined: the room is gone. */
  recordChanged(record: RoomRecord | undefined): void;
  memberRemoved(userId: string): void;
  typing(userId: string, username: string): void;
  /** Ends his subscription. His place is `place.position`. */
  end(error: AppError): void;
}

/** A subscriber's place in a feed. */
export interface Place {
  readonly subscriber: Subscriber;
  /** The log that he reads. One who could not be told that it is another by now ends with a cursor of the old one. */
  epoch: string;
  /** The sequence up to which everything was written to him. */
  sequence: number;
  /** What he is written between the history, up to the end of the log as he came, and what came since. */
  closing: { after: number; framed: Buffer } | undefined;
  /** He was told of the history that is lost, and is yet to read the beginning of what is kept. */
  knowsLost: boolean;
  /** Catches up by himself, and joins the others at the end. */
  catchingUp: boolean;
  /** He was at the end once: from then on he may be too slow. */
  wasLive: boolean;
  attached: boolean;
}

/** Ends the stream of who does not read what is written to him. @param why what it is that he does not keep up with, and what to do */
export const tooSlow = (why: string): AppError =>
  new AppError('RESOURCE_EXHAUSTED', `this stream is not read as fast as ${why}`, {
    reason: 'TOO_SLOW',
    retryAfterMs: 0,
  });
