/** Versions of rooms' records: a step is taken only by the version that it was decided with. */
import { randomInt } from 'node:crypto';

const mostFirst = 2 ** 30;

/**
 * Where a new room's versions begin: not where those of the room began that had its id before. A pod that still knows that
 * one must not have its decisions, made by old rules, taken for decisions about this one.
 */
export const firstVersion = (): number => randomInt(mostFirst);

/** What a record becomes when it is written over the expected version. */
export const nextVersion = (record: { version: number }, expected: number): number =>
  Math.max(record.version, expected) + 1;
