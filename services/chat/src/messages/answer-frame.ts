/** ServerFrames that answer sends, by hand. */
import { writePrefix } from '@parley/kit';
import type { Outcome } from '../log/log.ts';
import { formatTime } from './cursor.ts';
import { sizedLength, textLength, varintField, varintLength, writeHeader, writeText, writeVarint } from './protobuf.ts';

const prefixBytes = 5;
const refField = 1;
const sentField = 4;

/** `{ref, sent}`, framed for gRPC. */
export function sentFrame(ref: string, outcome: Extract<Outcome, { id: string }>): Buffer {
  const { id, position, timestampMs } = outcome;
  const time = formatTime(timestampMs);
  const refBytes = Buffer.byteLength(ref);
  const duplicate = outcome.kind === 'duplicate';
  const sent =
    2 +
    textLength(id.length) +
    1 +
    varintLength(position.sequence) +
    textLength(position.epoch.length) +
    textLength(time.length) +
    (duplicate ? 2 : 0);
  const length = textLength(refBytes) + sizedLength(sent);
  const framed = Buffer.allocUnsafe(prefixBytes + length);
  let at = writePrefix(framed, 0, length);
  at = writeText(framed, at, refField, ref, refBytes);
  at = writeHeader(framed, at, sentField, sent);
  framed[at++] = varintField(1);
  framed[at++] = 1;
  at = writeText(framed, at, 2, id, id.length);
  framed[at++] = varintField(3);
  at = writeVarint(framed, at, position.sequence);
  at = writeText(framed, at, 4, position.epoch, position.epoch.length);
  at = writeText(framed, at, 5, time, time.length);
  if (duplicate) {
    framed[at++] = varintField(6);
    framed[at] = 1;
  }
  return framed;
}
