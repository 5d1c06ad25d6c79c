import fc from 'fast-check';
import { expect, test } from 'vitest';
import { chatRoomSpec, parseDuration, serviceWeightSpec, validate } from './index.ts';

test('a field that this operator does not know is named, and is no problem', () => {
  const verdict = validate(
    chatRoomSpec,
    { displayName: 'General', slowMode: true, retention: { tier: 'cold' } },
    'spec',
  );
  expect(verdict).toEqual({ problems: [], unknown: ['spec.slowMode', 'spec.retention.tier'] });
});

test('a value that this operator does not know is a problem that names the field and what is allowed', () => {
  const { problems } = validate(chatRoomSpec, { displayName: 'General', visibility: 'by-invitation' }, 'spec');
  expect(problems).toEqual(['spec.visibility is "by-invitation"; one of public, private']);
});

test('whatever an object holds, looking at it is safe', () => {
  fc.assert(
    fc.property(fc.anything(), (spec) => {
      validate(chatRoomSpec, spec, 'spec');
      validate(serviceWeightSpec, spec, 'spec');
    }),
  );
  fc.assert(
    fc.property(fc.record({ displayName: fc.anything(), members: fc.anything(), retention: fc.anything() }), (spec) => {
      expect(Array.isArray(validate(chatRoomSpec, spec, 'spec').problems)).toBe(true);
    }),
  );
});

test('durations are as Go writes them', () => {
  expect(parseDuration('1h30m')).toBe(5_400_000);
  expect(parseDuration('1.5s')).toBe(1_500);
  expect(parseDuration('720h')).toBe(2_592_000_000);
  for (const text of ['', '5', 's', '1d', '-1s', '1s ']) expect(parseDuration(text)).toBeUndefined();
});
