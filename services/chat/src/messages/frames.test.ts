import { isUtf8 } from 'node:buffer';
import { messageCodec, unframe } from '@parley/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { complete, encodeBody } from '../log/codec.ts';
import type { Entry } from '../log/log.ts';
import { sentFrame } from './answer-frame.ts';
import { readSendFrame } from './client-frame.ts';
import { framesOf } from './frames.ts';
import { encodeListMessages } from './list-messages.ts';

const text = fc.string({ unit: 'grapheme', maxLength: 300 });
const position = { epoch: 'abc123', sequence: 300 };

const entryOf = (content: string, at: number): Entry => {
  const sequence = at + 1;
  const body = encodeBody({ id: `m${sequence}`, roomId: 'r', userId: 'u', username: 'ü', content, type: 'TEXT' });
  const bytes = complete(body, { epoch: 'e', sequence }, 1000);
  return { sequence, type: 'TEXT', id: `m${sequence}`, senderId: 'u', timestampMs: 1000, bytes };
};

test('frames put together by hand are read by protobufjs as what they are', () => {
  const codecs = {
    single: messageCodec('chat.ChatMessage'),
    batch: messageCodec('chat.SubscribeResponse'),
    event: messageCodec('chat.ServerFrame'),
  };
  type Message = { content: string; sequence: string; room_id: string };
  type Batch = { messages: Message[]; room_id: string };
  fc.assert(
    fc.property(fc.array(text, { minLength: 1, maxLength: 30 }), (contents) => {
      const entries = contents.map(entryOf);
      const seen = (messages: Message[]) => expect(messages.map(({ content }) => content)).toEqual(contents);
      seen([...unframe(framesOf('single', 'r', entries))].map((bytes) => codecs.single.decode(bytes) as Message));
      seen(
        [...unframe(framesOf('batch', 'r', entries))].flatMap(
          (bytes) => (codecs.batch.decode(bytes) as Batch).messages,
        ),
      );
      seen(
        [...unframe(framesOf('event', 'r', entries))].flatMap((bytes) => {
          const { event } = codecs.event.decode(bytes) as { event: Batch };
          expect(event.room_id).toBe('r');
          return event.messages;
        }),
      );
      const list = { head: position, entries, more: false, trimmed: 0 };
      seen((messageCodec('chat.ListMessagesResponse').decode(encodeListMessages(list)) as Batch).messages);
    }),
  );
});

test('a batch of many large messages is divided, so that any client takes it', () => {
  const entries = Array.from({ length: 100 }, (_, at) => entryOf('x'.repeat(16_000), at));
  const frames = [...unframe(framesOf('batch', 'r', entries))];
  expect(frames.length).toBeGreaterThan(1);
  expect(Math.max(...frames.map(({ length }) => length))).toBeLessThan(1024 * 1024);
});

test('an answer to a send is read by protobufjs as what it is', () => {
  fc.assert(
    fc.property(
      text,
      fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
      fc.boolean(),
      (ref, sequence, duplicate) => {
        const outcome = {
          kind: duplicate ? ('duplicate' as const) : ('appended' as const),
          id: 'm1',
          position: { epoch: 'e', sequence },
          timestampMs: 0,
        };
        const [bytes] = [...unframe(sentFrame(ref, outcome))];
        expect(messageCodec('chat.ServerFrame').decode(bytes!)).toMatchObject({
          ref,
          kind: 'sent',
          sent: {
            success: true,
            message_id: 'm1',
            sequence: `${sequence}`,
            epoch: 'e',
            duplicate,
            timestamp: '1970-01-01T00:00:00.000Z',
          },
        });
      },
    ),
  );
});

test('a send is read by hand as protobufjs reads it', () => {
  const codec = messageCodec('chat.ClientFrame');
  const send = { room_id: text, user_id: text, username: text, content: text, idempotency_key: text };
  const message = fc.record({
    ...send,
    type: fc.constantFrom('MESSAGE_TYPE_UNSPECIFIED', 'MESSAGE_TYPE_TEXT', 'MESSAGE_TYPE_LEAVE'),
  });
  fc.assert(
    fc.property(text, message, (ref, sent) => {
      const bytes = codec.encode({ ref, send: sent });
      expect(readSendFrame(bytes)).toEqual({ ref, kind: 'send', send: sent });
    }),
  );
});

test('bytes that are no frame are left to protobufjs or are INVALID_ARGUMENT, never anything else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      try {
        readSendFrame(Buffer.from(bytes));
      } catch (error) {
        expect(error).toMatchObject({ code: 'INVALID_ARGUMENT' });
      }
    }),
    { numRuns: 5000 },
  );
});

test('a send is read if and only if its text is UTF-8, U+FFFD itself included', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    text.map((each) => Buffer.from(each)),
    fc.constant(Buffer.from('a\ufffdb')),
  );
  fc.assert(
    fc.property(bytes, (content) => {
      fc.pre(content.length < 120);
      const message = Buffer.concat([Buffer.from([0x2a, content.length]), content]);
      const frame = Buffer.concat([Buffer.from([0x2a, message.length]), message]);
      if (isUtf8(content)) expect(readSendFrame(frame)?.send.content).toBe(Buffer.from(content).toString());
      else expect(() => readSendFrame(frame)).toThrow('not valid UTF-8');
    }),
  );
});
