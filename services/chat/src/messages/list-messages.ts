import type { Entry, Lost, Slice } from '../log/log.ts';
import { formatCursor } from './cursor.ts';
import { sizedLength, varintField, writeHeader, writeText } from './protobuf.ts';

const lostNumbers: Record<Lost, number> = { EPOCH_CHANGED: 1, TRIMMED: 2 };

/** Clients take 4 MiB in one answer. */
const mostBytes = 3 * 1024 * 1024;

/** As much of a slice as an answer takes: of what comes after a cursor the beginning, from where it goes on; else the end. */
export function pageOf(slice: Slice, isAfterCursor: boolean): Slice {
  const { entries } = slice;
  let size = 0;
  const isTooMuch = ({ bytes }: Entry) => {
    size += bytes.length;
    return size > mostBytes;
  };
  if (!isAfterCursor) return { ...slice, entries: entries.slice(entries.findLastIndex(isTooMuch) + 1) };
  const end = entries.findIndex(isTooMuch);
  return end < 0 ? slice : { ...slice, entries: entries.slice(0, end), more: true };
}

/** A ListMessagesResponse; its cursor is where the next page goes on. */
export function encodeListMessages({ entries, head, lost, more }: Slice): Buffer {
  const last = entries.at(-1);
  const cursor = formatCursor(more && last ? { epoch: head.epoch, sequence: last.sequence } : head);
  let size = sizedLength(cursor.length) + (lost ? 2 : 0);
  for (const { bytes } of entries) size += sizedLength(bytes.length);
  const encoded = Buffer.allocUnsafe(size);
  let at = 0;
  for (const { bytes } of entries) {
    at = writeHeader(encoded, at, 1, bytes.length);
    at += bytes.copy(encoded, at);
  }
  at = writeText(encoded, at, 2, cursor, cursor.length);
  if (lost) {
    encoded[at++] = varintField(3);
    encoded[at] = lostNumbers[lost];
  }
  return encoded;
}
