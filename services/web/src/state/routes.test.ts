import fc from 'fast-check';
import { expect, test } from 'vitest';
import { hashOf, parseRoute } from './routes.ts';

test('every room has an address of its own, whatever its id', () => {
  fc.assert(
    fc.property(fc.string({ minLength: 1, unit: 'binary' }).filter(isWellFormed), (roomId) => {
      expect(parseRoute(hashOf({ page: 'room', roomId }))).toEqual({ page: 'room', roomId });
    }),
  );
});

test('what is no address leads to the rooms', () => {
  for (const hash of ['', '#', '#/', '#/room/', '#/nothing', '#room'])
    expect(parseRoute(hash)).toEqual({ page: 'rooms' });
  expect(parseRoute('#/room/%E0%A4%A')).toEqual({ page: 'room', roomId: '%E0%A4%A' });
  expect(parseRoute('#/orders')).toEqual({ page: 'orders' });
});

function isWellFormed(text: string): boolean {
  return text.isWellFormed();
}
