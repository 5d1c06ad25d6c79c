import { expect, test } from 'vitest';
import type { ChatRoom } from '../api/index.ts';
import { differences, wishOf } from './wish.ts';

const room = (spec: Partial<ChatRoom['spec']>): ChatRoom => ({
  metadata: { name: 'general' },
  spec: { displayName: 'General', ...spec },
});

test('an object that is older than the defaults gets them all the same', () => {
  expect(wishOf(room({}), [])).toEqual({
    display_name: 'General',
    topic: '',
    private: false,
    member_ids: [],
    moderator_ids: [],
    max_members: 0,
    max_messages: 1000,
    max_age_seconds: '0',
    history_on_join: 50,
    messages_per_minute: 0,
    burst: 0,
    welcome_message: '',
    archived: false,
  });
});

test('no more history is shown by default than is kept', () => {
  expect(wishOf(room({ retention: { maxMessages: 20 } }), []).history_on_join).toBe(20);
});

test('names are ids, in one order, and those of nobody are left out', () => {
  const users = [
    { username: 'bob', id: '9' },
    { username: 'alice', id: '2' },
  ];
  const wish = wishOf(room({ members: ['bob', 'nobody', 'alice'], moderators: ['alice'] }), users);
  expect(wish).toMatchObject({ member_ids: ['2', '9'], moderator_ids: ['2'] });
});

test('what differs is named as in the API, whatever the order of ids', () => {
  const wish = { ...wishOf(room({}), []), member_ids: ['1', '2'] };
  const actual = { ...wish, member_ids: ['2', '1'], topic: 'changed', archived: true } as never;
  expect(differences(wish, actual)).toEqual(['topic', 'archived']);
});
