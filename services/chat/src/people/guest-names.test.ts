import { unavailable } from '@parley/kit';
import { expect, test } from 'vitest';
import { GuestNames } from './guest-names.ts';

test('guests who come together share a look-up, and nobody is let in while the user service is away', async () => {
  const asked: string[][] = [];
  let away = false;
  const guests = new GuestNames({
    lookupUsers: async ({ usernames = [] }) => {
      if (away) throw unavailable('away');
      asked.push(usernames);
      return { users: [{ user_id: '7', username: 'Alice', registered: true }] };
    },
  });
  const names = Array.from({ length: 100 }, (_, i) => `guest ${i}`);
  await Promise.all(names.map((name) => guests.check(name, name)));
  expect(asked).toEqual([names]);
  expect(guests.check('guest 5', 'guest 5')).toBeUndefined();
  await expect(guests.check('x', 'ALICE')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  away = true;
  await expect(guests.check('y', 'somebody new')).rejects.toMatchObject({ code: 'UNAVAILABLE' });
});
