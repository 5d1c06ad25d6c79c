/** Why a step turns a draft down. */
import { AppError } from '@parley/kit';

export const keyReused = () =>
  new AppError('ALREADY_EXISTS', 'idempotency_key was used before with another content: take a new one', {
    reason: 'KEY_REUSED',
  });

export const tooFast = (retryAfterMs: number) =>
  new AppError('RESOURCE_EXHAUSTED', `too many messages: try again in ${Math.ceil(retryAfterMs / 1000)} s`, {
    reason: 'RATE_LIMITED',
    retryAfterMs: Math.max(1, Math.ceil(retryAfterMs)),
  });

export const noRoom = (roomId: string) => new AppError('NOT_FOUND', `room ${roomId} does not exist`);
