import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linksIn, piecesOf } from './links.ts';

test.each([
  ['see https://example.org/a.', ['https://example.org/a']],
  ['(https://example.org/a_(b)), then http://x.test?q=1!', ['https://example.org/a_(b)', 'http://x.test?q=1']],
  ['<https://example.org/a>', ['https://example.org/a']],
  ['“https://example.org/ä?b=c&d=e#f”', ['https://example.org/ä?b=c&d=e#f']],
  ['HTTPS://EXAMPLE.ORG', ['HTTPS://EXAMPLE.ORG']],
])('the addresses in %s', (text, links) => expect(linksIn(text)).toEqual(links));

test.each(['javascript:alert(1)', 'data:text/html,x', 'https://', 'http://[', 'xhttps://a', 'example.org', ''])(
  '%j leads nowhere',
  (text) => expect(linksIn(text)).toEqual([]),
);

test('the pieces make up the text again, and lead to the web only', () => {
  const bit = fc.constantFrom('https://', 'http://', 'a.b', '/', '(', ')', '.', ' ', '\n', '"', 'javascript:', '❤');
  const text = fc.oneof(
    fc.string(),
    fc.array(bit).map((bits) => bits.join('')),
  );
  fc.assert(
    fc.property(text, (said) => {
      expect(
        piecesOf(said)
          .map((piece) => piece.text)
          .join(''),
      ).toBe(said);
      for (const href of linksIn(said)) expect(new URL(href).protocol).toMatch(/^https?:$/);
    }),
  );
});

test('the longest message is read at once, whatever it ends with', () => {
  const brackets = ')'.repeat(16_000);
  expect(piecesOf(`https://a${brackets}`)).toEqual([{ text: 'https://a', href: 'https://a' }, { text: brackets }]);
});

test('an address that is said twice is one', () => {
  expect(linksIn('http://a.test http://b.test, http://a.test')).toEqual(['http://a.test', 'http://b.test']);
});
