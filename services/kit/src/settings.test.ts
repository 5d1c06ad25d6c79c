import fc from 'fast-check';
import { expect, test } from 'vitest';
import { from, readSettings, StartError, setting } from './settings.ts';

const declared = {
  port: setting('PORT', from.port(8080), 'a port'),
  mode: setting('MODE', from.oneOf('open', 'open', 'required'), 'a mode'),
  url: setting('DATABASE_URL', from.url('postgres'), 'a database'),
  count: setting('COUNT', from.integer(3, 1, 10), 'a number'),
};

test('what is absent or empty has its default', () => {
  expect(readSettings(declared, { MODE: ' ' })).toEqual({ port: 8080, mode: 'open', url: undefined, count: 3 });
});

test('all that is wrong is said at once, and secrets are not', () => {
  const read = () => readSettings(declared, { PORT: 'x', MODE: 'shut', DATABASE_URL: 'mysql://u:hush@h', COUNT: '11' });
  expect(read).toThrow(StartError);
  expect(read).toThrow(
    /PORT is "x"; a port from 0 to 65535[\s\S]*MODE is "shut"; allowed are open, required[\s\S]*DATABASE_URL is \(hidden\)[\s\S]*COUNT is "11"; a whole number from 1 to 10/,
  );
  expect(read).not.toThrow(/hush/);
});

test('whatever is set, it is read or refused, never anything else', () => {
  fc.assert(
    fc.property(fc.string(), (text) => {
      try {
        const { count } = readSettings(declared, { COUNT: text });
        expect(count >= 1 && count <= 10).toBe(true);
      } catch (error) {
        expect(error).toBeInstanceOf(StartError);
      }
    }),
  );
});
