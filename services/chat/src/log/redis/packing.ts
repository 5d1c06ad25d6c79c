/** How messages travel to Redis, are kept there and are announced: see store.lua. Packed once by the pod that sends. */
import { complete, typeNumbers, typeOf } from '../codec.ts';
import type { Announcement, Draft, Entry } from '../log.ts';

const headerBytes = 24;

/** What the stream keeps of a message: type, lengths of id and sender, id, sender, body. */
function entrySize(idLength: number, senderLength: number, body: Uint8Array): number {
  return 4 + idLength + senderLength + body.length;
}

/** Drafts for store.lua's write, one after the other. */
export function packDrafts(drafts: Draft[]): Buffer {
  return drafts.length === 1 ? packDraft(drafts[0] as Draft) : Buffer.concat(drafts.map(packDraft));
}

export function packDraft({ id, type, senderId, body, idempotency, rate }: Draft): Buffer {
  const key = idempotency?.key ?? '';
  const hash = idempotency?.contentHash ?? '';
  const idLength = Buffer.byteLength(id);
  const senderLength = Buffer.byteLength(senderId);
  const keyLength = Buffer.byteLength(key);
  const hashLength = Buffer.byteLength(hash);
  const size = entrySize(idLength, senderLength, body);
  const packed = Buffer.allocUnsafe(18 + senderLength + keyLength + hashLength + size);
  packed[0] = typeNumbers[type];
  let at = packed.writeUInt16BE(senderLength, 1);
  at += packed.write(senderId, at);
  at = packed.writeUInt16BE(keyLength, at);
  at += packed.write(key, at);
  at = packed.writeUInt8(hashLength, at);
  at += packed.write(hash, at);
  at = packed.writeUInt32BE(rate?.perMinute ?? 0, at);
  at = packed.writeUInt32BE(rate?.burst ?? 0, at);
  at = packed.writeUInt32BE(size, at);
  packed[at++] = typeNumbers[type];
  packed[at++] = idLength;
  at = packed.writeUInt16BE(senderLength, at);
  at += packed.write(id, at);
  at += packed.write(senderId, at);
  packed.set(body, at);
  return packed;
}

/** What XRANGE answers for one entry. */
export type StreamEntry = [id: Buffer, fields: [name: Buffer, value: Buffer]];

export function unpackStreamEntry(epoch: string, [streamId, [, value]]: StreamEntry): Entry {
  const sequence = Number.parseInt(streamId.toString('latin1'), 10);
  return unpackEntry(epoch, sequence, value.readDoubleBE(0), value, headerBytes, value.length);
}

/** The id of the message in a stream entry's value. */
export function idOf(value: Buffer): string {
  const at = headerBytes + 4;
  return value.toString('utf8', at, at + (value[headerBytes + 1] as number));
}

/** A stream entry's value with another body. */
export function withBody(value: Buffer, change: (body: Buffer) => Buffer): Buffer {
  const at = bodyStart(value, headerBytes);
  return Buffer.concat([value.subarray(0, at), change(value.subarray(at))]);
}

const bodyStart = (packed: Buffer, at: number): number =>
  at + 4 + (packed[at + 1] as number) + packed.readUInt16BE(at + 2);

function unpackEntry(
  epoch: string,
  sequence: number,
  timestampMs: number,
  packed: Buffer,
  at: number,
  end: number,
): Entry {
  const idEnd = at + 4 + (packed[at + 1] as number);
  const bodyAt = idEnd + packed.readUInt16BE(at + 2);
  return {
    sequence,
    type: typeOf(packed[at] as number),
    id: packed.toString('utf8', at + 4, idEnd),
    senderId: packed.toString('utf8', idEnd, bodyAt),
    timestampMs,
    bytes: complete(packed.subarray(bodyAt, end), { epoch, sequence }, timestampMs),
  };
}

/** What is heard on a room's channel: 1 entries, 2 a version of the record, 3 a signal in JSON. */
export function unpackAnnouncement(payload: Buffer): Announcement {
  if (payload[0] === 2) return { kind: 'record', version: payload.readDoubleBE(1) };
  if (payload[0] === 3) return JSON.parse(payload.toString('utf8', 1));
  let sequence = payload.readDoubleBE(1);
  const timestampMs = payload.readDoubleBE(9);
  let at = 18 + (payload[17] as number);
  const epoch = payload.toString('latin1', 18, at);
  const entries: Entry[] = [];
  while (at < payload.length) {
    const end = at + 4 + payload.readUInt32BE(at);
    entries.push(unpackEntry(epoch, sequence++, timestampMs, payload, at + 4, end));
    at = end;
  }
  return { kind: 'entries', epoch, entries };
}

export const packSignal = (announcement: Announcement): Buffer => Buffer.from(`\x03${JSON.stringify(announcement)}`);

/** Two sorted pieces of a log as one. */
export function merge(epoch: string, texts: StreamEntry[], notices: StreamEntry[]): Entry[] {
  const merged = [...texts, ...notices].map((entry) => unpackStreamEntry(epoch, entry));
  return notices.length === 0 || texts.length === 0 ? merged : merged.sort((a, b) => a.sequence - b.sequence);
}
