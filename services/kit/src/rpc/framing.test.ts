import fc from 'fast-check';
import { expect, test } from 'vitest';
import { frame, Unframer, unframe } from './framing.ts';

const messagesArbitrary = fc.array(fc.uint8Array({ maxLength: 200 }));
const framedOf = (messages: Uint8Array[]) => Buffer.concat(messages.map((message) => frame(Buffer.from(message))));
const plain = (messages: Iterable<Uint8Array>) => [...messages].map((message) => [...message]);

test('messages framed and put together come apart as they were', () => {
  fc.assert(
    fc.property(messagesArbitrary, (messages) => {
      expect(plain(unframe(framedOf(messages)))).toEqual(plain(messages));
    }),
  );
});

test('a stream of messages comes apart as they were, however its bytes are cut', () => {
  fc.assert(
    fc.property(messagesArbitrary, fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1 }), (messages, cuts) => {
      const framed = framedOf(messages);
      const unframer = new Unframer(200);
      const taken: Buffer[] = [];
      for (let at = 0, i = 0; at < framed.length; i++) {
        const end = at + cuts[i % cuts.length]!;
        unframer.add(framed.subarray(at, end));
        at = end;
        for (let message = unframer.next(); message !== undefined; message = unframer.next()) taken.push(message);
      }
      expect(plain(taken)).toEqual(plain(messages));
      expect(unframer.empty).toBe(true);
    }),
  );
});

test('a message that is too long is refused by its prefix, before the rest of it has come', () => {
  const unframer = new Unframer(200);
  unframer.add(frame(Buffer.alloc(201)).subarray(0, 5));
  expect(() => unframer.next()).toThrow('a message of 201 bytes; at most 200');
});

test('a message that says it is compressed is refused where nothing is', () => {
  const unframer = new Unframer(200);
  unframer.add(Buffer.from([1, 0, 0, 0, 1, 0]));
  expect(() => unframer.next()).toThrow('compressed');
});
