/** Cursors and times as callers read and write them. */
import { invalid } from '@parley/kit';
import { parseCursor as parse } from '../log/codec.ts';
import type { Position } from '../log/log.ts';

export { formatCursor } from '../log/codec.ts';

/** Reads a cursor; undefined for the empty one. @throws AppError INVALID_ARGUMENT for anything else that is none. */
export function parseCursor(cursor: string | undefined, field = 'after'): Position | undefined {
  if (!cursor) return undefined;
  const position = parse(cursor);
  if (position) return position;
  throw invalid(field, `is ${JSON.stringify(cursor.slice(0, 60))}; a cursor <epoch>-<sequence> is allowed`);
}

let lastMs = Number.NaN;
let lastText = '';

/** RFC 3339, UTC. Remembers the last one, since messages come many to a millisecond. */
export function formatTime(ms: number): string {
  if (ms !== lastMs) {
    lastMs = ms;
    lastText = new Date(ms).toISOString();
  }
  return lastText;
}
