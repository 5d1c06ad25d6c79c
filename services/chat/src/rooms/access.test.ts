import { expect, test } from 'vitest';
import { type Actor, whyNotSend } from './access.ts';
import { newRecord } from './rooms.ts';

const nowMs = 1_000_000;
const guest = (userId: string): Actor => ({ userId, username: userId, standing: 'guest' });

test('who was sent away or muted may not speak; whoever else comes may, whatever he is called', () => {
  const record = newRecord('room', {});
  record.removed = { ann: nowMs };
  record.mutedUntilMs = { bob: nowMs + 1, cleo: nowMs };
  expect(whyNotSend(record, guest('ann'), nowMs)?.details.reason).toBe('REMOVED');
  expect(whyNotSend(record, guest('bob'), nowMs)?.details.reason).toBe('MUTED');
  for (const name of ['cleo', 'constructor', 'toString', '__proto__']) {
    expect(whyNotSend(record, guest(name), nowMs)).toBeUndefined();
  }
});
