import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChatMessage } from '../wire.ts';
import { reduce } from './reduce.ts';
import { cursorOf, emptyRoom, type RoomState, sequenceOf, visiblePending } from './state.ts';

function message(sequence: number, more: Partial<ChatMessage> = {}): ChatMessage {
  return {
    id: `m${sequence}`,
    room_id: 'den',
    user_id: 'bob',
    username: 'bob',
    content: `line ${sequence}`,
    timestamp: '2026-01-01T00:00:00Z',
    type: 'MESSAGE_TYPE_TEXT',
    sequence: String(sequence),
    epoch: 'e1',
    idempotency_key: '',
    target_id: '',
    ...more,
  };
}

const range = (from: number, to: number) => Array.from({ length: Math.max(0, to - from + 1) }, (_, n) => from + n);
const sequences = (state: RoomState) => state.messages.map(sequenceOf);
const arrive = (state: RoomState, ...messages: ChatMessage[]) => reduce(state, { kind: 'messages', messages });
const open = (state: RoomState, cursor = 'e1-0') => reduce(state, { kind: 'opened', cursor, resumed: true });
const me = emptyRoom('den', 'alice');

function answer(sequence: number, epoch = 'e1') {
  return {
    success: true,
    message_id: `m${sequence}`,
    sequence: String(sequence),
    epoch,
    timestamp: '',
    duplicate: false,
  };
}

test('any mix of batches, repeats and resumes leaves the log as a prefix: in order, once, without holes', () => {
  const step = fc.oneof(
    fc.record({ from: fc.integer({ min: 1, max: 40 }), length: fc.integer({ min: 1, max: 15 }) }),
    fc.constant('resume' as const),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      let state = arrive(open(me), message(1));
      for (const one of steps) {
        if (one !== 'resume') {
          state = arrive(state, ...range(one.from, one.from + one.length).map((n) => message(n)));
        } else {
          const next = sequenceOf(state.messages.at(-1)!) + 1;
          state = arrive(open(state, cursorOf(state)), message(next));
        }
        expect(sequences(state)).toEqual(range(1, state.messages.length));
      }
    }),
  );
});

test('after a hole nothing is taken until the stream is resumed', () => {
  const holed = arrive(open(me), message(1), message(2), message(5));
  expect(holed.jumped).toBe(true);
  expect(cursorOf(holed)).toBe('e1-2');
  expect(sequences(arrive(holed, message(6)))).toEqual([1, 2]);
  expect(sequences(arrive(open(holed, 'e1-2'), message(3), message(4), message(5)))).toEqual([1, 2, 3, 4, 5]);
});

test('a hole that a resume does not fill is trimmed history and stays', () => {
  const holed = arrive(open(me), message(1), message(4));
  expect(sequences(arrive(open(holed, 'e1-1'), message(4), message(5)))).toEqual([1, 4, 5]);
});

test('history up to where the stream opened may have holes', () => {
  const state = arrive(open(me, 'e1-9'), message(2), message(5), message(9), message(10));
  expect(sequences(state)).toEqual([2, 5, 9, 10]);
  expect(state.jumped).toBe(false);
});

test('a removed message is blank, whichever of the two arrives first', () => {
  const removal = message(3, { id: 'r', type: 'MESSAGE_TYPE_REMOVED', target_id: 'm1', content: '' });
  const after = arrive(open(me), message(1), message(2), removal);
  expect(after.messages[0]!.content).toBe('');
  const late = reduce(arrive(open(me, 'e1-3'), message(2), removal), {
    kind: 'older',
    messages: [message(1)],
    fromStart: true,
  });
  expect(late.messages.map(({ content }) => content)).toEqual(['', 'line 2', '']);
  expect(late.fromStart).toBe(true);
});

test('another epoch sets what was on screen apart', () => {
  const old = arrive(open(me), message(1), message(2));
  const state = arrive(open(old, 'e2-0'), message(1, { epoch: 'e2', id: 'n1' }));
  expect(state.earlier.map(({ id }) => id)).toEqual(['m1', 'm2']);
  expect(state.messages.map(({ id }) => id)).toEqual(['n1']);
  expect(state.lost).toBe('HISTORY_LOST_EPOCH_CHANGED');
  expect(cursorOf(state)).toBe('e2-1');
});

test('trimmed history keeps what was on screen, and says so', () => {
  const old = arrive(open(me), message(1), message(2));
  const state = arrive(
    reduce(old, { kind: 'opened', cursor: 'e1-8', resumed: false, lost: 'HISTORY_LOST_TRIMMED' }),
    message(9),
  );
  expect(state.lost).toBe('HISTORY_LOST_TRIMMED');
  expect([...state.earlier, ...state.messages].map(sequenceOf)).toEqual([1, 2, 9]);
});

test('one’s own message shows once at every moment, in whichever order message and answer come', () => {
  type Step = 'queued' | 'sending' | 'message' | 'answer' | 'twin';
  // Another window of the same person says the same words at the same time.
  const twin = message(1, { user_id: 'alice', content: 'hi' });
  const own = message(2, { user_id: 'alice', content: 'hi' });
  const orders: Step[][] = [
    ['queued', 'sending', 'twin', 'message', 'answer'],
    ['queued', 'sending', 'twin', 'answer', 'message'],
    ['queued', 'twin', 'sending', 'message', 'answer'],
    ['twin', 'queued', 'sending', 'answer', 'message'],
  ];
  for (const steps of orders) {
    let state = open(me);
    for (const step of steps) {
      if (step === 'queued') state = reduce(state, { kind: 'queued', key: 'k', content: 'hi', at: 0 });
      if (step === 'sending') state = reduce(state, { kind: 'sending', key: 'k' });
      if (step === 'twin') state = arrive(state, twin);
      if (step === 'message') state = arrive(state, own);
      if (step === 'answer') state = reduce(state, { kind: 'acknowledged', key: 'k', answer: answer(2) });
      const shown = state.messages.length + visiblePending(state).length;
      expect(shown, steps.join(' ')).toBeLessThanOrEqual(2);
    }
    expect(state.pending).toEqual([]);
    expect(sequences(state)).toEqual([1, 2]);
  }
});

test('who is there follows comings and goings, and a snapshot counts from its own time on', () => {
  const join = (n: number, who: string) => message(n, { type: 'MESSAGE_TYPE_JOIN', user_id: who, username: who });
  const leave = (n: number, who: string) => message(n, { type: 'MESSAGE_TYPE_LEAVE', user_id: who, username: who });
  const state = arrive(open(me), join(1, 'bob'), join(2, 'cid'), leave(3, 'bob'));
  expect([...state.members.keys()]).toEqual(['cid']);
  const snapshot = reduce(state, { kind: 'present', userIds: ['bob', 'cid', 'dan'], cursor: 'e1-2' });
  expect([...snapshot.members]).toEqual([
    ['cid', 'cid'],
    ['dan', ''],
  ]);
  const named = reduce(snapshot, { kind: 'named', names: new Map([['dan', 'Dan']]) });
  expect(named.members.get('dan')).toBe('Dan');
});

test('somebody types until he has spoken or the time is up', () => {
  const typing = reduce(open(me), { kind: 'typing', userId: 'bob', username: 'bob', until: 10 });
  expect(typing.typing).toHaveLength(1);
  expect(arrive(typing, message(1)).typing).toEqual([]);
  expect(reduce(typing, { kind: 'tick', now: 11 }).typing).toEqual([]);
  expect(reduce(typing, { kind: 'typing', userId: 'alice', username: 'a', until: 20 }).typing).toHaveLength(1);
});

test('a room is not open that cannot be opened yet, though somebody who only looked may just have been let in', () => {
  const error = { code: 'RESOURCE_EXHAUSTED', message: 'room den is full' };
  const full = reduce(open(reduce(me, { kind: 'opening' })), { kind: 'deferred', error });
  expect(full).toMatchObject({ phase: 'opening', error });
  expect(reduce(full, { kind: 'opening' })).toMatchObject({ phase: 'opening', error });
  expect(open(full)).toMatchObject({ phase: 'open', error: undefined });
  expect(reduce(full, { kind: 'closed' })).toMatchObject({ phase: 'closed', error: undefined });
});

test('unread counts what others say, and neither repeats nor notices', () => {
  const join = message(2, { type: 'MESSAGE_TYPE_JOIN' });
  const mine = message(3, { user_id: 'alice' });
  const state = arrive(arrive(open(me), message(1), join, mine), message(1), message(4));
  expect(state.unread).toBe(2);
});
