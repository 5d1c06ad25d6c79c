import { expect, test } from 'vitest';
import type { ChatLog } from '../log/log.ts';
import { newRecord, Rooms } from './rooms.ts';

test('who asks how a room is now never gets what was read before it changed, and a hundred share one read', async () => {
  let version = 1;
  const answers: (() => void)[] = [];
  const log = {
    room(roomId: string) {
      const record = { ...newRecord(roomId, {}), version };
      return new Promise((resolve) => answers.push(() => resolve(record)));
    },
  } as unknown as ChatLog;
  const rooms = new Rooms(log, 'declared');

  const before = rooms.read('r');
  version = 2;
  const after = Array.from({ length: 100 }, () => rooms.read('r'));
  answers[0]!();
  expect((await before)?.version).toBe(1);
  await expect.poll(() => answers.length).toBe(2);
  answers[1]!();
  for (const record of await Promise.all(after)) expect(record?.version).toBe(2);
  expect(answers.length).toBe(2);
});
