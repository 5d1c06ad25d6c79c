import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, unframe } from './framing.ts';

test('messages framed and put together come apart as they were', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 })), (messages) => {
      const framed = Buffer.concat(messages.map((message) => frame(Buffer.from(message))));
      expect([...unframe(framed)].map((message) => [...message])).toEqual(messages.map((message) => [...message]));
    }),
  );
});
