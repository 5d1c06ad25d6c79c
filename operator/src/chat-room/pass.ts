import type { ChatRoom } from '../api/index.ts';
import type { Observed } from './plan.ts';
import type { Outcome } from './status.ts';

/** One reconcile under way: the resource as last written, and what has been found out so far. */
export class Pass {
  room: ChatRoom;
  readonly key: string;
  readonly roomId: string;
  readonly outcome: Outcome;
  released = false;
  /** What the last call to chat carried. */
  fence = 0;
  /** Thrown at the end, so that the queue tries again. */
  failure: Error | undefined;

  constructor(key: string, room: ChatRoom, roomId: string) {
    this.key = key;
    this.room = room;
    this.roomId = roomId;
    this.outcome = { roomId, observed: false };
  }

  /** Takes the numbers that the watch on chat has. */
  see(chat: Observed['chat']): void {
    if (typeof chat === 'object' && chat.room) this.outcome.seen = chat.room;
  }
}
