/** What the functions in schema.sql take and answer, and how it becomes what a ChatLog says. */
import { complete, typeNumbers, typeOf } from '../codec.ts';
import type { Draft, Entry, Outcome, Position, RoomSummary } from '../log.ts';
import { keyReused, tooFast } from '../refusals.ts';

export interface MessageRow {
  sequence: string;
  type: number;
  timestamp_ms: string;
  id: string;
  sender_id: string;
  body: Uint8Array;
}

export interface SummaryRow {
  record: string;
  epoch: string;
  head: string;
  members: number;
  messages: string;
  last_text_ms: string | null;
}

export type OutcomeRow = ['a', number] | ['d', string, number, number] | ['k'] | ['r', number];

/** The answer of chat.write. */
export interface Written {
  k: 'done';
  /** Epoch, timestamp, the sequence of the first entry, whether the epoch is new. */
  e: string;
  t: number;
  f: number;
  new: boolean;
  o: OutcomeRow[];
}

/** Drafts as the functions take them: their bodies in one piece beside them. */
export function packDrafts(drafts: Draft[]): { control: string; bodies: Buffer } {
  let offset = 0;
  const control = drafts.map(({ id, type, senderId, body, idempotency, rate }) => {
    const packed = {
      i: id,
      t: typeNumbers[type],
      s: senderId,
      o: offset,
      n: body.length,
      ...(idempotency && { k: idempotency.key, h: idempotency.contentHash }),
      ...(rate && rate.perMinute > 0 && { m: rate.perMinute, b: rate.burst }),
    };
    offset += body.length;
    return packed;
  });
  return { control: JSON.stringify(control), bodies: Buffer.concat(drafts.map(({ body }) => body)) };
}

export function toOutcome(row: OutcomeRow, id: string, { e: epoch, t }: Written): Outcome {
  switch (row[0]) {
    case 'a':
      return { kind: 'appended', id, position: { epoch, sequence: row[1] }, timestampMs: t };
    case 'd':
      return { kind: 'duplicate', id: row[1], position: { epoch, sequence: row[2] }, timestampMs: row[3] };
    case 'k':
      return { kind: 'refused', error: keyReused() };
    case 'r':
      return { kind: 'refused', error: tooFast(row[1]) };
  }
}

export function toEntry(epoch: string, row: MessageRow): Entry {
  const position: Position = { epoch, sequence: Number(row.sequence) };
  const timestampMs = Number(row.timestamp_ms);
  return {
    sequence: position.sequence,
    type: typeOf(row.type),
    id: row.id,
    senderId: row.sender_id,
    timestampMs,
    bytes: complete(row.body, position, timestampMs),
  };
}

export function toSummary(row: SummaryRow): RoomSummary {
  return {
    record: JSON.parse(row.record),
    head: { epoch: row.epoch, sequence: Number(row.head) },
    members: row.members,
    messages: Number(row.messages),
    lastMessageTimeMs: row.last_text_ms === null ? undefined : Number(row.last_text_ms),
  };
}
