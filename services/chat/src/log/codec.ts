/**
 * The protobuf of a chat message, by hand, for the hot path: a pod encodes a message's body once, the log gives it its
 * place and time, and every pod appends those three fields as bytes. Protobuf leaves the order of fields free.
 */
import type { EntryType, Position } from './log.ts';

/** The enum chat.MessageType. */
export const typeNumbers: Record<EntryType, number> = { TEXT: 1, JOIN: 2, LEAVE: 3, SYSTEM: 4, REMOVED: 5 };
const typeNames: (EntryType | undefined)[] = [undefined, 'TEXT', 'JOIN', 'LEAVE', 'SYSTEM', 'REMOVED'];

/** @throws Error for a number that no pod has written. */
export function typeOf(number: number): EntryType {
  const type = typeNames[number];
  if (type === undefined) throw new Error(`the log holds a message of type ${number}; known are 1 to 5`);
  return type;
}

/** Whether a message counts for a room's `maxMessages`; the others are notices. */
export const isText = (type: EntryType): boolean => type === 'TEXT' || type === 'SYSTEM';

export interface BodyFields {
  id: string;
  roomId: string;
  userId: string;
  username: string;
  content: string;
  type: EntryType;
  /** With REMOVED: the message whose content is blanked. */
  targetId?: string;
}

/** A chat.ChatMessage without timestamp, sequence and epoch. */
export function encodeBody(fields: BodyFields): Buffer {
  const { id, roomId, userId, username, content, targetId = '' } = fields;
  const idLength = Buffer.byteLength(id);
  const roomLength = Buffer.byteLength(roomId);
  const userLength = Buffer.byteLength(userId);
  const nameLength = Buffer.byteLength(username);
  const contentLength = Buffer.byteLength(content);
  const targetLength = Buffer.byteLength(targetId);
  const body = Buffer.allocUnsafe(
    size(idLength) +
      size(roomLength) +
      size(userLength) +
      size(nameLength) +
      size(contentLength) +
      size(targetLength) +
      2,
  );
  let at = writeString(body, 0, 0x0a, id, idLength);
  at = writeString(body, at, 0x12, roomId, roomLength);
  at = writeString(body, at, 0x1a, userId, userLength);
  at = writeString(body, at, 0x22, username, nameLength);
  at = writeString(body, at, 0x2a, content, contentLength);
  at = writeString(body, at, 0x5a, targetId, targetLength);
  body[at] = 0x38;
  body[at + 1] = typeNumbers[fields.type];
  return body;
}

/** The whole message: its body with timestamp, sequence and epoch. */
export function complete(body: Uint8Array, { epoch, sequence }: Position, timestampMs: number): Buffer {
  const bodyLength = body.length;
  const time = rfc3339(timestampMs);
  const whole = Buffer.allocUnsafe(bodyLength + 2 + time.length + 1 + varintSize(sequence) + 2 + epoch.length);
  whole.set(body, 0);
  whole[bodyLength] = 0x32;
  whole[bodyLength + 1] = time.length;
  whole.write(time, bodyLength + 2, 'latin1');
  let at = bodyLength + 2 + time.length;
  whole[at] = 0x40;
  at = writeVarint(whole, at + 1, sequence);
  whole[at] = 0x4a;
  whole[at + 1] = epoch.length;
  whole.write(epoch, at + 2, 'latin1');
  return whole;
}

/** A body as it is after its message was removed: everything but the content. */
export function withoutContent(body: Uint8Array): Buffer {
  const kept: Uint8Array[] = [];
  for (let at = 0; at < body.length; ) {
    const [tag, afterTag] = readVarint(body, at);
    const [value, afterValue] = readVarint(body, afterTag);
    const end = (tag & 7) === 2 ? afterValue + value : afterValue;
    if (tag >> 3 !== 5) kept.push(body.subarray(at, end));
    at = end;
  }
  return Buffer.concat(kept);
}

/** `<epoch>-<sequence>`, as callers keep it. */
export const formatCursor = ({ epoch, sequence }: Position): string => `${epoch}-${sequence}`;

/** Undefined for what is no cursor. */
export function parseCursor(cursor: string): Position | undefined {
  const match = /^([a-z0-9]{1,16})-(0|[1-9][0-9]{0,15})$/.exec(cursor);
  const sequence = Number(match?.[2]);
  return match && Number.isSafeInteger(sequence) ? { epoch: match[1] as string, sequence } : undefined;
}

/** A name for a new log: random, so that no two logs of a room share one. */
export function newEpoch(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(10));
  let epoch = '';
  for (const byte of bytes) epoch += 'abcdefghijklmnopqrstuvwxyz012345'[byte & 31];
  return epoch;
}

let lastMs = Number.NaN;
let lastText = '';

/** Messages of one step, and of one busy millisecond, share their time's text. */
function rfc3339(ms: number): string {
  if (ms !== lastMs) {
    lastText = new Date(ms).toISOString();
    lastMs = ms;
  }
  return lastText;
}

/** The size of a string field with its tag; nothing when empty, as proto3 has it. */
const size = (length: number): number => (length === 0 ? 0 : 1 + varintSize(length) + length);

function writeString(to: Buffer, at: number, tag: number, text: string, length: number): number {
  if (length === 0) return at;
  to[at] = tag;
  const start = writeVarint(to, at + 1, length);
  to.write(text, start, length, 'utf8');
  return start + length;
}

function varintSize(value: number): number {
  let bytes = 1;
  for (let rest = value; rest > 127; rest = Math.floor(rest / 128)) bytes++;
  return bytes;
}

function writeVarint(to: Buffer, at: number, value: number): number {
  let rest = value;
  let next = at;
  // Arithmetic, not shifts: a sequence may be beyond 32 bits.
  while (rest > 127) {
    to[next++] = (rest % 128) | 128;
    rest = Math.floor(rest / 128);
  }
  to[next++] = rest;
  return next;
}

function readVarint(from: Uint8Array, at: number): [number, number] {
  let value = 0;
  let scale = 1;
  for (let next = at; next < from.length; next++) {
    const byte = from[next] as number;
    value += (byte & 127) * scale;
    if (byte < 128) return [value, next + 1];
    scale *= 128;
  }
  throw new Error('a message in the log is cut off');
}
