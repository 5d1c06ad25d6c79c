import { randomBytes } from 'node:crypto';

const processPart = BigInt(`0x${randomBytes(6).toString('hex')}`)
  .toString(36)
  .padStart(10, '0');
let idMs = 0;
let timePart = '';
let counter = 0;

/** A message's id: unique, and sorts by time: milliseconds, a counter, and who made it. */
export function messageId(nowMs = Date.now()): string {
  if (nowMs > idMs) {
    idMs = nowMs;
    timePart = nowMs.toString(36).padStart(9, '0');
    counter = 0;
  }
  counter++;
  return `${timePart}${counter.toString(36).padStart(4, '0')}${processPart}`;
}
