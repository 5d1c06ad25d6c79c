import { silentLog } from '@parley/kit';
import { Redis } from 'ioredis';
import { expect, test } from 'vitest';
import { RedisLog } from './log/redis/redis-log.ts';
import { type ChatProcess, Fleet } from './testing/fleet.ts';
import { History } from './testing/history.ts';
import { Reader } from './testing/reader.ts';
import { startRedis } from './testing/redis.ts';
import { readLog, readOn, say } from './testing/storm.ts';

const guest = (room_id: string, name: string) => ({ room_id, user_id: name, username: name });
const patience = { timeout: 60_000 };

test('the members of a pod that is killed are gone from every room, each with one LEAVE', async () => {
  await using redis = await startRedis();
  await using fleet = await Fleet.start(redis.url, 2);
  const [doomed, other] = fleet.all;
  using watcher = Reader.ofSubscribe(other!.chat.subscribe(guest('hall', 'watcher')));
  await expect.poll(() => watcher.opened).toBeTruthy();
  const names = Array.from({ length: 20 }, (_, i) => `member-${String(i).padStart(2, '0')}`);
  const members = names.map((name) => Reader.ofSubscribe(doomed!.chat.subscribe(guest('hall', name))));
  for (const member of members) await expect.poll(() => member.opened).toBeTruthy();
  await fleet.end(doomed!, 'SIGKILL');
  for (const member of members) await member.ended;

  const leaves = () => watcher.notices.filter((notice) => notice.startsWith('LEAVE')).sort();
  await expect.poll(leaves, patience).toEqual(names.map((name) => `LEAVE ${name}`));
  const { room, user_ids } = await other!.chat.getRoomInfo({ room_id: 'hall' });
  expect(user_ids).toEqual(['watcher']);
  expect(room?.user_count).toBe(1);
});

test('after a scale-up from two pods to four, each has its share of 400 streams, and nothing is lost or repeated', async () => {
  await using redis = await startRedis();
  await using fleet = await Fleet.start(redis.url, 2);
  await using log = await RedisLog.open({ url: redis.url, log: silentLog });
  const history = new History();
  const stop = new AbortController();
  const rooms = new Map<string, string>();
  const counts = { retries: 0, resumes: 0 };
  const roomOf = (i: number) => `wide-${i % 8}`;
  const opened: Promise<void>[] = [];
  const reading = Array.from({ length: 400 }, (_, i) => {
    const [name, { promise, resolve }] = [`reader-${i}`, Promise.withResolvers<void>()];
    rooms.set(name, roomOf(i));
    history.reader(name);
    opened.push(promise);
    return readOn(fleet, history, name, roomOf(i), false, stop.signal, resolve, counts);
  });
  await Promise.all(opened);
  let balanced = false;
  const talking = (async () => {
    // Fewer than a room keeps, or the oldest would rightly be missing in the end.
    for (let i = 0; i < 8 * 900 && (!balanced || i < 200); i++) {
      await say(fleet, history, 'talker', roomOf(i), `message ${i}`, counts);
      await new Promise((resolve) => setTimeout(resolve, 40));
    }
  })();

  await Promise.all([fleet.add(), fleet.add()]);
  const farthestFromShare = async () => {
    const loads = [...(await log.loads()).values()];
    return loads.length === 4 ? Math.max(...loads.map((load) => Math.abs(load - 100))) : Number.POSITIVE_INFINITY;
  };
  await expect.poll(farthestFromShare, { timeout: 120_000, interval: 250 }).toBeLessThanOrEqual(25);
  balanced = true;
  await talking;
  for (const [reader, room] of rooms)
    await expect.poll(() => history.hasAll(reader, room), { ...patience, interval: 10 }).toBe(true);
  stop.abort();
  await Promise.all(reading);
  for (let i = 0; i < 8; i++) history.log(roomOf(i), await readLog(fleet, roomOf(i)));
  expect(history.violations(rooms)).toEqual([]);
  expect(history.acknowledged).toBeGreaterThanOrEqual(200);
  expect(counts.resumes).toBeGreaterThanOrEqual(150);
}, 300_000);

test.each([
  // What SAVE has kept comes back, and all after it is gone: as if a replica that lagged had been promoted.
  { fault: 'a lagging replica promoted', command: ['debug', 'reload', 'nosave'] },
  { fault: 'Redis emptied', command: ['flushall'] },
])(
  '$fault: whoever resumes is told that history was lost, and no hole is passed off as whole',
  async ({ command }) => {
    await using redis = await startRedis({ settings: { 'enable-debug-command': 'yes' } });
    await using fleet = await Fleet.start(redis.url, 2);
    using stack = new DisposableStack();
    const control = stack.adopt(new Redis(redis.port, '127.0.0.1'), (client) => client.disconnect());
    const [one, two] = fleet.all;
    const subscribe = (pod: ChatProcess, after = '') =>
      Reader.ofSubscribe(pod.chat.subscribe({ ...guest('fragile', 'bob'), after }));
    const tell = (pod: ChatProcess, content: string) =>
      pod.chat.sendMessage({ ...guest('fragile', 'ann'), content, type: 'MESSAGE_TYPE_TEXT' });
    /** A room that went with everything is there again when somebody comes. */
    const tellAnyhow = async (pod: ChatProcess, content: string) => {
      while (!(await tell(pod, content).catch(() => undefined))) {
        using visitor = subscribe(pod);
        await expect.poll(() => visitor.opened, patience).toBeTruthy();
      }
    };
    const wasTold = (reader: Reader) =>
      reader.frames.some(({ opened }) => opened?.history_lost === 'HISTORY_LOST_EPOCH_CHANGED');

    using reader = subscribe(one!);
    await expect.poll(() => reader.opened, patience).toBeTruthy();
    await tell(one!, 'kept');
    await control.call('save');
    for (let i = 0; i < 10; i++) await tell(two!, `lost ${i}`);
    await expect.poll(() => reader.texts.length, patience).toBe(11);
    const { cursor } = reader;
    await control.call(command[0]!, ...command.slice(1));

    for (const pod of [one!, two!]) {
      using resumed = subscribe(pod, cursor);
      await expect.poll(() => resumed.opened, patience).toBeTruthy();
      await tellAnyhow(pod, `after, on ${pod.pid}`);
      await expect.poll(() => resumed.texts, patience).toContain(`after, on ${pod.pid}`);
      expect(wasTold(resumed)).toBe(true);
      expect(resumed.texts.filter((text) => text.startsWith('lost'))).toEqual([]);
      expect(resumed.messages.filter(({ epoch }) => epoch === cursor.split('-')[0])).toEqual([]);
    }
    // Who was reading all the time is told as well.
    await expect.poll(() => wasTold(reader), patience).toBe(true);
  },
  180_000,
);
