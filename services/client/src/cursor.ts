/** Places in a room's log: `<epoch>-<sequence>`. */

export interface Cursor {
  epoch: string;
  sequence: number;
}

/** Reads a cursor; undefined for the empty one and for anything malformed. */
export function parseCursor(cursor: string): Cursor | undefined {
  const match = /^([a-z0-9]{1,16})-(\d{1,15})$/.exec(cursor);
  return match ? { epoch: match[1]!, sequence: Number(match[2]) } : undefined;
}

export function formatCursor({ epoch, sequence }: Cursor): string {
  return `${epoch}-${sequence}`;
}
