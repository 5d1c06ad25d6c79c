import { sharedFixture } from '@parley/kit/testing/fixture';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RateLimit, SignInLimits } from './sign-in-limits.ts';
import { type Store, stores } from './testing/stores.ts';
import { failure, serveUsers } from './testing/user-server.ts';

let store: Store;
sharedFixture(async (stack) => {
  store = stack.use(await stores[0]!.open());
});

test('within any time, no more pass than the burst and what came back since', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 100 }), fc.array(fc.nat(5000), { maxLength: 200 }), (perMinute, gaps) => {
      const limit = new RateLimit(perMinute);
      let now = 1_000_000;
      let passed = 0;
      for (const gap of gaps) {
        now += gap;
        const waitMs = limit.take('key', now);
        if (waitMs === 0) passed++;
        // What it says is true: then there is one, and not long before.
        else expect(waitMs).toBeLessThanOrEqual(60_000 / perMinute + 1);
      }
      expect(passed).toBeLessThanOrEqual(perMinute + Math.floor(((now - 1_000_000) * perMinute) / 60_000) + 1);
    }),
  );
});

test('after the time that was told, the next one passes', () => {
  const limit = new RateLimit(10);
  for (let i = 0; i < 10; i++) expect(limit.take('key', 0)).toBe(0);
  const waitMs = limit.take('key', 0);
  expect(waitMs).toBe(6000);
  expect(limit.take('other', 0)).toBe(0);
  expect(limit.take('key', waitMs)).toBe(0);
});

test('memory is bounded, however many names are tried; the one that was tried last is kept', () => {
  const limit = new RateLimit(1, 100);
  for (let i = 0; i < 10_000; i++) limit.take(`name ${i}`, 0);
  expect(limit.size).toBe(100);
  expect(limit.take('name 9999', 0)).toBeGreaterThan(0);
});

test('sign-ins that succeed do not count against a name', () => {
  const limits = new SignInLimits({ signInsPerUsername: 2, signInsPerAddress: 100 });
  for (let i = 0; i < 50; i++) {
    limits.asUsername('alice', '10.0.0.1');
    limits.succeeded('ALICE', '10.0.0.1');
  }
});

test('who guesses from many addresses is stopped in the end, and told when to try again', () => {
  const limits = new SignInLimits({ signInsPerUsername: 2, signInsPerAddress: 100 });
  const guess = (address: number) => limits.asUsername('alice', `10.0.0.${address}`);
  for (let address = 0; address < 20; address++) {
    for (let i = 0; i < 2; i++) guess(address);
    expect(() => guess(address)).toThrow(/that failed for this username: try again in 30 s/);
  }
  // What is refused for the sake of the name does not count against the address.
  for (let i = 0; i < 5; i++) expect(() => guess(20)).toThrow(/that failed for this username: try again in [12] s/);
  limits.asUsername('bob', '10.0.0.0');
});

test('who fails for a name keeps nobody from it who signs in from elsewhere', async () => {
  await using server = await serveUsers({ database: store.database, settings: { signInsPerUsername: 2 } });
  const password = 'correct horse battery';
  await server.auth.register({ username: 'carol', email: 'carol@example.com', password });
  const from = (address: string) => ({ token: server.service, metadata: { 'x-forwarded-for': address } });
  const guess = (host: number) =>
    failure(server.auth.login({ username: 'carol', password: 'guess' }, from(`2001:db8::${host}`)));
  // Hosts of one network count together.
  expect((await guess(1)).code).toBe('UNAUTHENTICATED');
  expect((await guess(2)).code).toBe('UNAUTHENTICATED');
  expect((await guess(3)).code).toBe('RESOURCE_EXHAUSTED');
  const { user } = await server.auth.login({ username: 'carol', password }, from('198.51.100.8'));
  expect(user?.username).toBe('carol');
});

test('guessing a password is stopped, with when to try again, and nobody else is', async () => {
  await using server = await serveUsers({ database: store.database, settings: { signInsPerUsername: 5 } });
  const password = 'correct horse battery';
  for (const username of ['alice', 'bob'])
    await server.auth.register({ username, email: `${username}@example.com`, password });
  const guesses = await Promise.all(
    Array.from({ length: 20 }, (_, i) => failure(server.auth.login({ username: 'Alice', password: `guess ${i}` }))),
  );
  const refused = guesses.filter(({ code }) => code === 'RESOURCE_EXHAUSTED');
  expect(refused).toHaveLength(15);
  for (const { message, details } of refused) {
    expect(message).toMatch(/too many sign-ins that failed for this username: try again in \d+ s/);
    expect(details.retryAfterMs).toBeGreaterThan(0);
  }
  expect((await failure(server.auth.login({ username: 'alice', password }))).code).toBe('RESOURCE_EXHAUSTED');
  expect((await server.auth.login({ username: 'bob', password })).user?.username).toBe('bob');
});

test('a flood from one address is stopped, and other addresses are not', async () => {
  await using server = await serveUsers({ database: store.database, settings: { signInsPerAddress: 5 } });
  const metadata = { 'x-forwarded-for': '198.51.100.7' };
  const from = (address: string) => ({ token: server.service, metadata: { 'x-forwarded-for': address } });
  const calls = Array.from({ length: 20 }, (_, i) =>
    failure(server.auth.login({ username: `u${i}`, password: 'guess' }, { token: server.service, metadata })),
  );
  const codes = (await Promise.all(calls)).map(({ code }) => code);
  expect(codes.filter((code) => code === 'RESOURCE_EXHAUSTED')).toHaveLength(15);
  const elsewhere = server.auth.login({ username: 'u', password: 'guess' }, from('198.51.100.8'));
  expect((await failure(elsewhere)).code).toBe('UNAUTHENTICATED');
});
