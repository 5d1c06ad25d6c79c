import { ParleyError } from '@parley/client';
import { expect, test } from 'vitest';
import { isNameTaken, problemText, sentence } from './problem-text.ts';

test.each([
  ['UNAVAILABLE', 'x', {}, 'The server cannot be reached. Check your network, or try again in a moment.'],
  ['PERMISSION_DENIED', 'only moderators may', {}, 'That is not yours to do: only moderators may.'],
  ['RESOURCE_EXHAUSTED', 'x', { retryAfterMs: 2_100 }, 'Too many tries: wait 3 s and try again.'],
  ['RESOURCE_EXHAUSTED', 'the room is full', {}, 'The room is full.'],
  ['ALREADY_EXISTS', 'username is taken', {}, 'Username is taken.'],
])('%s is said as a sentence', (code, message, details, text) => {
  expect(problemText(new ParleyError(code, message, details))).toBe(text);
});

test.each([
  ['PERMISSION_DENIED', 'this user_id or username belongs to a registered user: sign in to speak in that name', true],
  ['PERMISSION_DENIED', `username "alice" is a registered user's: sign in as that user`, true],
  ['PERMISSION_DENIED', 'you were removed from room general', false],
  ['UNAUTHENTICATED', 'sign in', false],
])('%s, %s: the name is taken: %s', (code, message, taken) => expect(isNameTaken({ code, message })).toBe(taken));

test('a time is the reader’s own, with its day where that is another one', () => {
  const [now, today] = [new Date(2026, 10, 28, 9), new Date(2026, 10, 28, 14, 39, 35)];
  const clock = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' }).format(today);
  expect(sentence(`you are muted until ${today.toISOString()}`, now)).toBe(`You are muted until ${clock}.`);
  const tomorrow = new Date(2026, 10, 29, 14, 39, 35).toISOString();
  expect(sentence(`you are muted until ${tomorrow}`, now)).toMatch(
    new RegExp(`^You are muted until .*29.*, ${clock}.$`),
  );
});

test('what nobody foresaw says what to do', () => {
  expect(problemText(new TypeError('x is undefined'))).toBe(
    'Something went wrong in this page. Reload it and try again.',
  );
});
