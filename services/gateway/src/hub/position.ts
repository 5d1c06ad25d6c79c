/** Places in a room's log, written as cursors: `<epoch>-<sequence>`. */
import { invalid } from '@parley/kit';

export interface Position {
  epoch: string;
  sequence: number;
}

/** Reads a cursor; undefined for the empty one. @throws AppError INVALID_ARGUMENT for anything else that is none. */
export function parseCursor(cursor: string | undefined, field = 'after'): Position | undefined {
  if (!cursor) return undefined;
  const match = /^([a-z0-9]{1,16})-(\d{1,15})$/.exec(cursor);
  if (match) return { epoch: match[1]!, sequence: Number(match[2]) };
  throw invalid(field, `is ${JSON.stringify(cursor.slice(0, 60))}; a cursor <epoch>-<sequence> is allowed`);
}

export function formatCursor(position: Position | undefined): string {
  return position === undefined ? '' : `${position.epoch}-${position.sequence}`;
}
