/** What becomes of a room's record when its resource says how it is to be: pure. */
import { AppError } from '@parley/kit';
import type { Owner, RoomRecord, RoomSpec } from './record.ts';
import { newRecord } from './rooms.ts';
import { digestOf } from './spec.ts';

/**
 * The record to write; undefined where it is that already.
 * @throws AppError ALREADY_EXISTS for a room of another owner, FAILED_PRECONDITION for a lower fence.
 */
export function applied(
  roomId: string,
  record: RoomRecord | undefined,
  spec: RoomSpec,
  owner: Owner | undefined,
  fence: number,
): RoomRecord | undefined {
  if (record === undefined) return { ...newRecord(roomId, spec), ...(owner && { owner }), fence };
  checkMayWrite(record, owner, fence);
  const whose = owner ?? record.owner;
  const same = record.fence === fence && digestOf(record.spec, record.owner) === digestOf(spec, whose);
  return same ? undefined : { ...record, spec, ...(whose && { owner: whose }), fence };
}

/** @throws AppError ALREADY_EXISTS, FAILED_PRECONDITION. */
export function checkMayWrite(record: RoomRecord, owner: Owner | undefined, fence: number): void {
  if (record.owner && owner && record.owner.uid !== owner.uid) {
    const { namespace, name } = record.owner;
    throw new AppError('ALREADY_EXISTS', `room ${record.roomId} belongs to ChatRoom ${namespace}/${name}`, {
      reason: 'OTHER_OWNER',
    });
  }
  if (fence < record.fence) {
    throw new AppError(
      'FAILED_PRECONDITION',
      `fence is ${fence}; room ${record.roomId} was written with ${record.fence}: another leader has taken over`,
      { reason: 'FENCED' },
    );
  }
}
