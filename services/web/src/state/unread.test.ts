import { type ChatMessage, emptyRoom } from '@parley/client';
import { expect, test } from 'vitest';
import { firstUnread } from './unread.ts';

const message = (sequence: number, user_id: string, type = 'MESSAGE_TYPE_TEXT') =>
  ({ sequence: String(sequence), user_id, type }) as ChatMessage;
const room = {
  ...emptyRoom('here', 'me'),
  messages: [
    message(1, 'ann'),
    message(2, 'me'),
    message(3, 'ann'),
    message(4, 'bob', 'MESSAGE_TYPE_JOIN'),
    message(5, '', 'MESSAGE_TYPE_SYSTEM'),
  ],
};

test.each([
  [0, undefined],
  [1, 5],
  [2, 3],
  [3, 1],
  [4, undefined],
])('of %i unread messages the first is number %s', (count, sequence) => {
  expect(firstUnread(room, count)).toBe(sequence);
});
