import { messageCodec } from '@parley/kit';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { complete, encodeBody, formatCursor, newEpoch, parseCursor, withoutContent } from './codec.ts';
import type { EntryType } from './log.ts';

const codec = messageCodec('chat.ChatMessage');
const epochs = fc.stringMatching(/^[a-z0-9]{1,16}$/);
const text = fc.string({ unit: 'binary', maxLength: 400 });
const fields = fc.record({
  id: text,
  roomId: text,
  userId: text,
  username: text,
  content: text,
  targetId: text,
  type: fc.constantFrom<EntryType>('TEXT', 'JOIN', 'LEAVE', 'SYSTEM', 'REMOVED'),
});
const sequences = fc.maxSafeNat();
const times = fc.integer({ min: 0, max: 4_102_444_800_000 });

describe('the codec', () => {
  test('writes what any protobuf library reads', () => {
    fc.assert(
      fc.property(fields, epochs, sequences, times, (message, epoch, sequence, timestampMs) => {
        expect(codec.decode(complete(encodeBody(message), { epoch, sequence }, timestampMs))).toEqual({
          id: message.id,
          room_id: message.roomId,
          user_id: message.userId,
          username: message.username,
          content: message.content,
          target_id: message.targetId,
          type: `MESSAGE_TYPE_${message.type}`,
          timestamp: new Date(timestampMs).toISOString(),
          sequence: String(sequence),
          epoch,
          idempotency_key: '',
        });
      }),
    );
  });

  test('blanks the content and nothing else', () => {
    fc.assert(
      fc.property(fields, (message) => {
        expect(withoutContent(encodeBody(message))).toEqual(encodeBody({ ...message, content: '' }));
      }),
    );
  });

  test('reads the cursors that it writes, and nothing else', () => {
    fc.assert(
      fc.property(epochs, sequences, (epoch, sequence) => {
        expect(parseCursor(formatCursor({ epoch, sequence }))).toEqual({ epoch, sequence });
      }),
    );
    for (const bad of [
      '',
      '-',
      'a',
      'a-',
      '-1',
      'a-01',
      'a-1x',
      'A-1',
      'a-9007199254740992',
      `${'a'.repeat(17)}-1`,
      'a-1\n',
    ])
      expect(parseCursor(bad)).toBeUndefined();
  });

  test('names every log differently', () => {
    const names = Array.from({ length: 1000 }, newEpoch);
    expect(new Set(names).size).toBe(1000);
    for (const name of names) expect(name).toMatch(/^[a-z0-9]{1,16}$/);
  });
});
