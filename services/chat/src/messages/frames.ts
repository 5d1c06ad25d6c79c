/** What goes out to subscribers, put together from entries that are encoded already. Each form is framed for gRPC, once. */
import { writePrefix } from '@parley/kit';
import type { Entry } from '../log/log.ts';
import { sizedLength, textLength, writeHeader, writeText } from './protobuf.ts';

/** How a subscriber reads: single ChatMessages (JoinRoom), SubscribeResponses, or ServerFrames with an event (Connect). */
export type Form = 'single' | 'batch' | 'event';

const prefixBytes = 5;
/** SubscribeResponse.messages and .room_id, ServerFrame.event. */
const messagesField = 1;
const roomField = 2;
const eventField = 3;

/** A SubscribeResponse stays below this, so that any client takes it. */
const mostFrameBytes = 256 * 1024;

/** The entries as gRPC messages of this form; never empty entries. */
export function framesOf(form: Form, roomId: string, entries: readonly Entry[]): Buffer {
  if (form === 'single') return singles(entries);
  let bytes = 0;
  for (const entry of entries) bytes += entry.bytes.length + 6;
  if (bytes <= mostFrameBytes) return batch(form, roomId, entries);
  const parts: Buffer[] = [];
  for (let start = 0; start < entries.length; ) {
    let end = start;
    for (let size = 0; end < entries.length && (end === start || size < mostFrameBytes); end++) {
      size += entries[end]!.bytes.length;
    }
    parts.push(batch(form, roomId, entries.slice(start, end)));
    start = end;
  }
  return Buffer.concat(parts);
}

function singles(entries: readonly Entry[]): Buffer {
  let size = 0;
  for (const { bytes } of entries) size += prefixBytes + bytes.length;
  const framed = Buffer.allocUnsafeSlow(size);
  let at = 0;
  for (const { bytes } of entries) {
    at = writePrefix(framed, at, bytes.length);
    at += bytes.copy(framed, at);
  }
  return framed;
}

function batch(form: Form, roomId: string, entries: readonly Entry[]): Buffer {
  let size = textLength(roomId.length);
  for (const { bytes } of entries) size += sizedLength(bytes.length);
  const outer = form === 'event' ? sizedLength(size) : size;
  const framed = Buffer.allocUnsafeSlow(prefixBytes + outer);
  let at = writePrefix(framed, 0, outer);
  if (form === 'event') at = writeHeader(framed, at, eventField, size);
  for (const { bytes } of entries) {
    at = writeHeader(framed, at, messagesField, bytes.length);
    at += bytes.copy(framed, at);
  }
  writeText(framed, at, roomField, roomId, roomId.length);
  return framed;
}
