import { AppError } from '@parley/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { checkFields, maskedFields, rules } from './validation.ts';

const letters = [...'abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789'];
const word = (alphabet: string[], maxLength: number, minLength = 1) =>
  fc.string({ unit: fc.constantFrom(...alphabet), minLength, maxLength });
const anything = fc.string({ unit: 'binary', maxLength: 300 });

test('every username of the allowed letters is allowed, and nothing else', () => {
  const good = fc.tuple(word(letters, 1), word([...letters, '.', '_', '-'], 63, 0)).map((parts) => parts.join(''));
  fc.assert(fc.property(good, (name) => rules.username(name) === undefined));
  fc.assert(
    fc.property(anything, (name) => {
      const allowed = name.length <= 64 && /^[A-Za-z0-9]/.test(name) && !/[^A-Za-z0-9._-]/.test(name);
      return (rules.username(name) === undefined) === allowed;
    }),
  );
});

test.each(['', ' alice', 'alice\n', '.alice', '-a', 'al ice', 'älice', 'a/../b', '<b>', "a'--", 'x'.repeat(65)])(
  'the username %j is refused',
  (name) => {
    expect(rules.username(name)).toMatch(/1 to 64 letters .* are allowed/);
  },
);

test('addresses that people have are allowed', () => {
  fc.assert(fc.property(fc.emailAddress(), (address) => rules.email(address) === undefined));
  for (const address of ['uAB3DEFGHJ9-12@example.com', "o'hara+tag@mail.example.co.uk", 'root@localhost'])
    expect(rules.email(address)).toBeUndefined();
});

test('what is allowed as an address has one @ with something on both sides, and no space or control character', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        anything,
        fc.emailAddress(),
        fc.tuple(anything, anything).map((p) => p.join('@')),
      ),
      (address) => {
        if (rules.email(address) !== undefined) return true;
        return /^[^@\s\p{Cc}]+@[^@\s\p{Cc}]+$/u.test(address) && address.length <= 254;
      },
    ),
  );
});

test('an address of any length is judged in linear time', () => {
  for (const address of [`${'a'.repeat(1_000_000)}@`, `a@${'a.'.repeat(500_000)}`, `a@${'-'.repeat(1_000_000)}`])
    expect(rules.email(address)).toBeDefined();
});

test('a full name is at most 200 characters, as people count them, without control characters', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 400 }), (name) => {
      const allowed = [...name].length <= 200 && !/\p{Cc}/u.test(name);
      return (rules.full_name(name) === undefined) === allowed;
    }),
  );
  expect(rules.full_name('👩‍👩‍👧'.repeat(40))).toBeUndefined();
  expect(rules.full_name("<script>alert('x')</script>; drop table users")).toBeUndefined();
});

test('what is far too long is told in UTF-16 units, since counting it would stop the process', () => {
  const text = '👩'.repeat(2_000_000);
  expect(rules.full_name(text)).toBe('has 4000000 characters; at most 200 are allowed');
  expect(rules.password(text)).toBe('has 4000000 characters; 8 to 256 characters are allowed');
});

test('a password is 8 to 256 characters, not blank, and never in the message', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 300 }), (password) => {
      const length = [...password].length;
      const wrong = rules.password(password);
      expect(wrong === undefined).toBe(length >= 8 && length <= 256 && password.trim() !== '');
      if (wrong !== undefined && length > 5) expect(wrong).not.toContain(password);
    }),
  );
});

test('a message never grows with what was sent', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 300, maxLength: 5000 }), (text) => {
      try {
        checkFields({ username: text, email: text, full_name: text });
      } catch (error) {
        expect(error).toBeInstanceOf(AppError);
        expect((error as AppError).message.length).toBeLessThan(2500);
      }
    }),
  );
});

test('a mask selects fields, in the order of the API, each once', () => {
  const fields = ['username', 'email', 'full_name'] as const;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...fields)), (paths) => {
      expect(maskedFields({ paths })).toEqual(fields.filter((field) => paths.includes(field)));
    }),
  );
  expect(maskedFields(null)).toEqual(fields);
  expect(maskedFields({ paths: ['*'] })).toEqual(fields);
  fc.assert(
    fc.property(
      fc.string().filter((path) => path !== '*' && !(fields as readonly string[]).includes(path)),
      (path) => {
        expect(() => maskedFields({ paths: ['email', path] })).toThrow(/update_mask has/);
      },
    ),
  );
});
