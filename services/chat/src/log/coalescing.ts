/**
 * Concurrent appends to a room share a step: while one is under way, those that come wait and go together in the next.
 * A hundred senders then cost the store a handful of round trips, and a lone one waits for nobody.
 */
import type { Appended, Draft, Position } from './log.ts';

/** One step of a room, as the store does it. */
export type Step = (roomId: string, recordVersion: number, drafts: Draft[], seen?: Position) => Promise<Appended>;

interface Waiting {
  recordVersion: number;
  drafts: Draft[];
  seen: Position | undefined;
  resolve: (appended: Appended) => void;
  reject: (error: unknown) => void;
}

/** A step holds the store up for everybody: about 2 ms of Redis. */
const maxDrafts = 512;
const maxBytes = 1024 * 1024;

/** Wraps a store's step, so that every caller gets the outcomes of his own drafts. */
export function coalescing(step: Step): Step {
  const rooms = new Map<string, Waiting[]>();

  async function run(roomId: string, queue: Waiting[]): Promise<void> {
    while (queue.length > 0) {
      const together = queue.splice(0, fitting(queue));
      const first = together[0] as Waiting;
      try {
        if (together.length === 1) {
          first.resolve(await step(roomId, first.recordVersion, first.drafts, first.seen));
          continue;
        }
        const drafts = together.flatMap((waiting) => waiting.drafts);
        const seen = together.map((waiting) => waiting.seen).reduce(higher);
        share(together, await step(roomId, first.recordVersion, drafts, seen));
      } catch (error) {
        for (const waiting of together) waiting.reject(error);
      }
    }
    rooms.delete(roomId);
  }

  return (roomId, recordVersion, drafts, seen) =>
    new Promise((resolve, reject) => {
      const waiting = { recordVersion, drafts, seen, resolve, reject };
      const queue = rooms.get(roomId);
      if (queue) {
        queue.push(waiting);
        return;
      }
      const started = [waiting];
      rooms.set(roomId, started);
      void run(roomId, started);
    });
}

/** How many from the front may go together: of one version of the record, and not too much at once. */
function fitting(queue: Waiting[]): number {
  const version = queue[0]?.recordVersion;
  let drafts = 0;
  let bytes = 0;
  let count = 0;
  for (const waiting of queue) {
    drafts += waiting.drafts.length;
    for (const draft of waiting.drafts) bytes += draft.body.length;
    if (count > 0 && (waiting.recordVersion !== version || drafts > maxDrafts || bytes > maxBytes)) break;
    count++;
  }
  return count;
}

function share(together: Waiting[], appended: Appended): void {
  if (appended.kind !== 'done') {
    for (const waiting of together) waiting.resolve(appended);
    return;
  }
  let at = 0;
  for (const { drafts, resolve } of together) {
    resolve({ kind: 'done', outcomes: appended.outcomes.slice(at, at + drafts.length) });
    at += drafts.length;
  }
}

/** Of two positions the later; of two epochs the one that came last. */
function higher(a: Position | undefined, b: Position | undefined): Position | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.epoch === b.epoch && a.sequence > b.sequence ? a : b;
}
