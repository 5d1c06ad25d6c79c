import { unavailable } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { type Store, widestStores } from './testing/logs.ts';
import { Reader } from './testing/reader.ts';
import { type Pod, Rig } from './testing/rig.ts';

// Most of it is waiting for five seconds: on two stores, not on four.
describe.each(widestStores)('on $store', ({ open }) => {
  let store: Store;
  let rig: Rig;
  let one: Pod;
  let two: Pod;
  sharedFixture(async (stack) => {
    store = stack.use(await open());
    rig = stack.use(await Rig.start());
    one = await rig.pod(await store.log(), 'one');
    two = await rig.pod(await store.log(), 'two');
  });

  const guest = (room_id: string, name: string) => ({ room_id, user_id: name, username: name });
  const subscribe = (pod: Pod, room: string, name: string, after = '', as = {}) =>
    Reader.ofSubscribe(pod.chat.subscribe({ ...guest(room, name), after }, as));
  const isOpen = (reader: Reader) => expect.poll(() => reader.opened).toBeTruthy();
  const patience = { timeout: 20_000 };

  test('three windows on two pods are one member: one JOIN, and one LEAVE when the last has been gone for five seconds', async () => {
    using watcher = subscribe(one, 'windows', 'watcher');
    await isOpen(watcher);
    const windows = [
      subscribe(one, 'windows', 'ann'),
      subscribe(two, 'windows', 'ann'),
      subscribe(two, 'windows', 'ann'),
    ];
    for (const window of windows) await isOpen(window);
    windows[0]!.cancel();
    windows[1]!.cancel();
    await one.chat.sendMessage({ ...guest('windows', 'watcher'), content: 'still here' });
    await expect.poll(() => windows[2]!.texts).toEqual(['still here']);
    windows[2]!.cancel();
    await expect.poll(() => watcher.notices, patience).toEqual(['JOIN watcher', 'JOIN ann', 'LEAVE ann']);
  });

  test('a reconnect within five seconds writes nothing', async () => {
    using watcher = subscribe(one, 'again', 'watcher');
    await isOpen(watcher);
    const first = subscribe(one, 'again', 'ann');
    await isOpen(first);
    first.cancel();
    const second = subscribe(two, 'again', 'ann', first.cursor);
    await isOpen(second);
    second.cancel();
    await expect.poll(() => watcher.notices, patience).toEqual(['JOIN watcher', 'JOIN ann', 'LEAVE ann']);
  });

  test('one who comes and goes all the time keeps nobody else from leaving', async () => {
    using watcher = subscribe(one, 'restless', 'watcher');
    await isOpen(watcher);
    const comeAndGo = async (name: string) => {
      const reader = subscribe(one, 'restless', name);
      await isOpen(reader);
      reader.cancel();
      await reader.ended;
    };
    await comeAndGo('ben');
    await comeAndGo('ann');
    await expect
      .poll(async () => {
        await comeAndGo('ben');
        return watcher.notices;
      }, patience)
      .toContain('LEAVE ann');
  });

  test('who left, came back and left is not sent away when he comes once more', async () => {
    using watcher = subscribe(one, 'twice', 'watcher');
    await isOpen(watcher);
    for (let times = 0; times < 3; times++) {
      const ann = subscribe(one, 'twice', 'ann');
      await isOpen(ann);
      ann.cancel();
      await ann.ended;
    }
    await expect.poll(() => watcher.notices, patience).toContain('LEAVE ann');
    using ann = subscribe(one, 'twice', 'ann');
    await isOpen(ann);
    // By the time that another one is gone, whatever was due for her has been done.
    const ben = subscribe(one, 'twice', 'ben');
    await isOpen(ben);
    ben.cancel();
    await expect.poll(() => watcher.notices, patience).toContain('LEAVE ben');
    expect(watcher.notices.filter((notice) => notice.endsWith('ann'))).toEqual(['JOIN ann', 'LEAVE ann', 'JOIN ann']);
    expect((await two.chat.getRoomInfo({ room_id: 'twice' })).user_ids).toEqual(['ann', 'watcher']);
  });

  test('a moderator whom another sends away, and who comes back at once, stays', async () => {
    const spec = { display_name: 'Peers', moderator_ids: ['1', '2'] };
    await one.admin.applyRoom({ room_id: 'peers', spec }, { token: rig.service() });
    using watcher = subscribe(one, 'peers', 'watcher');
    const token = rig.token('1', 'alice');
    using first = subscribe(one, 'peers', '', '', { token });
    await Promise.all([isOpen(watcher), isOpen(first)]);
    await one.chat.removeMember({ room_id: 'peers', user_id: '1' }, { token: rig.token('2', 'bob') });
    expect(await first.ended).toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect.poll(() => watcher.notices).toContain('LEAVE 1');
    using second = subscribe(one, 'peers', '', '', { token });
    const ben = subscribe(one, 'peers', 'ben');
    await Promise.all([isOpen(second), isOpen(ben)]);
    ben.cancel();
    await expect.poll(() => watcher.notices, patience).toContain('LEAVE ben');
    expect((await two.chat.getRoomInfo({ room_id: 'peers' })).user_ids).toEqual(['1', 'watcher']);
  });

  test('who was refused because an answer was lost is not left behind in the room', async () => {
    const log = await store.log();
    const enter = log.enter.bind(log);
    log.enter = async (...entering) => {
      await enter(...entering);
      log.enter = enter;
      throw unavailable('the answer was lost: try again', 0);
    };
    const cut = await rig.pod(log, 'cut');
    using watcher = subscribe(one, 'lost-answer', 'watcher');
    await isOpen(watcher);
    expect(await subscribe(cut, 'lost-answer', 'ann').ended).toMatchObject({ code: 'UNAVAILABLE' });
    await expect.poll(() => watcher.notices, patience).toEqual(['JOIN watcher', 'JOIN ann', 'LEAVE ann']);
    // And who tries again is in it.
    using again = subscribe(cut, 'lost-answer', 'ann');
    await isOpen(again);
    expect((await two.chat.getRoomInfo({ room_id: 'lost-answer' })).user_ids).toEqual(['ann', 'watcher']);
  });

  test('who comes again into a room that was deleted and made anew is a member of the new one', async () => {
    const as = { token: rig.service() };
    const ann = subscribe(one, 'made-anew', 'ann');
    await isOpen(ann);
    await one.admin.deleteRoom({ room_id: 'made-anew' }, as);
    expect(await ann.ended).toMatchObject({ code: 'NOT_FOUND' });
    await one.admin.applyRoom({ room_id: 'made-anew', spec: { display_name: 'Anew' } }, as);
    using again = subscribe(one, 'made-anew', 'ann');
    await expect.poll(() => again.notices).toEqual(['JOIN ann']);
    expect((await two.chat.getRoomInfo({ room_id: 'made-anew' })).user_ids).toEqual(['ann']);
  });

  test('who is in a room that was deleted and made anew before his pod has looked is a member of the new one', async () => {
    const log = await store.log();
    const busy = await rig.pod(log, 'busy');
    using ann = subscribe(busy, 'replaced', 'ann');
    await isOpen(ann);
    const as = { token: rig.service() };
    const made = Promise.withResolvers<void>();
    const room = log.room.bind(log);
    log.room = (roomId) => made.promise.then(() => room(roomId));
    await one.admin.deleteRoom({ room_id: 'replaced', keep_history: true }, as);
    await one.admin.applyRoom({ room_id: 'replaced', spec: { display_name: 'Anew' } }, as);
    made.resolve();
    const members = async () => (await two.chat.getRoomInfo({ room_id: 'replaced' })).user_ids;
    await expect.poll(members).toEqual(['ann']);
    await one.chat.sendMessage({ ...guest('replaced', 'ben'), content: 'on' });
    await expect.poll(() => ann.texts).toEqual(['on']);
  });

  test('who only looks is not there', async () => {
    using watcher = subscribe(one, 'looking', 'watcher');
    await isOpen(watcher);
    using looker = Reader.ofSubscribe(two.chat.subscribe({ room_id: 'looking', observe: true }));
    await isOpen(looker);
    await one.chat.sendMessage({ ...guest('looking', 'watcher'), content: 'seen' });
    await expect.poll(() => looker.texts).toEqual(['seen']);
    expect((await two.chat.getRoomInfo({ room_id: 'looking' })).user_ids).toEqual(['watcher']);
  });

  test('a second window of JoinRoom that is not shown its JOIN gets one of no place in the log', async () => {
    await one.admin.applyRoom(
      { room_id: 'brief', spec: { display_name: 'Brief', history_on_join: 0 } },
      { token: rig.service() },
    );
    using first = Reader.ofJoin(one.chat.joinRoom(guest('brief', 'ann')));
    await expect.poll(() => first.notices).toEqual(['JOIN ann']);
    using second = Reader.ofJoin(one.chat.joinRoom(guest('brief', 'ann')));
    await expect
      .poll(() => second.messages.map(({ type, sequence }) => [type, sequence]))
      .toEqual([['MESSAGE_TYPE_JOIN', '0']]);
  });

  test('the history of a second window of JoinRoom ends with his own JOIN, and nobody else hears of it', async () => {
    using first = Reader.ofJoin(one.chat.joinRoom(guest('own-join', 'ann')));
    await expect.poll(() => first.notices).toEqual(['JOIN ann']);
    await one.chat.sendMessage({ ...guest('own-join', 'ann'), content: 'said' });
    using second = Reader.ofJoin(one.chat.joinRoom(guest('own-join', 'ann')));
    await expect
      .poll(() => second.messages.map(({ type, sequence }) => [type.slice(13), sequence]))
      .toEqual([
        ['JOIN', '1'],
        ['TEXT', '2'],
        ['JOIN', '0'],
      ]);
    expect(first.notices).toEqual(['JOIN ann']);
  });

  test('a user who is signed out loses his streams, and others keep theirs', async () => {
    using alice = subscribe(one, 'signed-out', '', '', { token: rig.token('1', 'alice') });
    using bob = subscribe(one, 'signed-out', '', '', { token: rig.token('2', 'bob') });
    await Promise.all([isOpen(alice), isOpen(bob)]);
    rig.revoke('1');
    expect(await alice.ended).toMatchObject({
      code: 'UNAUTHENTICATED',
      details: { trailers: { 'parley-cursor': alice.cursor } },
    });
    await one.chat.sendMessage({ ...guest('signed-out', 'ann'), content: 'on' });
    await expect.poll(() => bob.texts).toEqual(['on']);
  });

  test('a pod that drains ends every stream with UNAVAILABLE and its cursor, and another pod goes on from there', async () => {
    const leaving = await rig.pod(await store.log(), 'leaving');
    // Few enough that none is moved to the other pods, which have nobody, however long this takes.
    const readers = Array.from({ length: 7 }, (_, i) => subscribe(leaving, 'draining', `r${i}`));
    for (const reader of readers) await isOpen(reader);
    await two.chat.sendMessage({ ...guest('draining', 'r0'), content: 'before' });
    for (const reader of readers) await expect.poll(() => reader.texts).toEqual(['before']);
    const drained = leaving.drain();
    await two.chat.sendMessage({ ...guest('draining', 'r0'), content: 'meanwhile' });
    const ends = await Promise.all(readers.map((reader) => reader.ended));
    for (const end of ends) expect(end).toMatchObject({ code: 'UNAVAILABLE', details: { retryAfterMs: 0 } });
    const cursors = ends.map((end) => end!.details.trailers!['parley-cursor']!);
    const resumed = readers.map((_, i) => subscribe(two, 'draining', `r${i}`, cursors[i]));
    for (const [i, reader] of resumed.entries()) {
      await expect.poll(() => [...readers[i]!.texts, ...reader.texts]).toEqual(['before', 'meanwhile']);
      expect(reader.notices.filter((notice) => notice.startsWith('LEAVE'))).toEqual([]);
      reader.cancel();
    }
    await drained;
  });

  test('a subscriber who does not read is sent away, and the others go on', async () => {
    using reader = subscribe(one, 'slow', 'ann');
    await isOpen(reader);
    const call = one.chat.subscribe({ ...guest('slow', 'sleeper') });
    await new Promise<void>((resolve) => call.stream.once('data', () => resolve()));
    call.stream.pause();
    const text = 'x'.repeat(16_000);
    const connection = one.chat.connect();
    const sent = connection.each(() => undefined).catch(() => undefined);
    const count = async () =>
      Number(/chat_slow_subscribers_total (\d+)/.exec(await one.metrics.registry.metrics())?.[1]);
    let said = 0;
    for (; (await count()) === 0 && said < 1000; said += 20) {
      for (let i = 0; i < 20; i++) connection.write({ ref: 'x', send: { ...guest('slow', 'ann'), content: text } });
      await expect.poll(() => reader.texts.length, patience).toBe(said + 20);
    }
    expect(await count()).toBe(1);
    connection.cancel();
    await sent;
    call.cancel();
  });
});
