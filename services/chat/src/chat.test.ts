import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { type Store, stores } from './testing/logs.ts';
import { Reader } from './testing/reader.ts';
import { failureOf, type Pod, Rig } from './testing/rig.ts';

describe.each(stores)('on $store', ({ open }) => {
  let store: Store;
  let rig: Rig;
  let pod: Pod;
  sharedFixture(async (stack) => {
    store = stack.use(await open());
    rig = stack.use(await Rig.start());
    pod = await rig.pod(await store.log(), 'a');
  });

  const guest = (room_id: string, name: string) => ({ room_id, user_id: name, username: name });
  const join = (room: string, name: string, token?: string, after = '') =>
    Reader.ofJoin(pod.chat.joinRoom({ ...guest(room, name), after }, { token }));
  const subscribe = (room: string, name: string, after = '') =>
    Reader.ofSubscribe(pod.chat.subscribe({ ...guest(room, name), after }));
  const say = (room: string, name: string, content: string, more = {}) =>
    pod.chat.sendMessage({ ...guest(room, name), content, type: 'MESSAGE_TYPE_TEXT', ...more });

  test('a joiner sees the history oldest first, ending with his own JOIN, then what others say', async () => {
    using ann = join('history', 'ann');
    await expect.poll(() => ann.notices).toEqual(['JOIN ann']);
    for (const text of ['one', 'two']) await say('history', 'ann', text);
    using ben = join('history', 'ben');
    await expect.poll(() => ben.notices).toEqual(['JOIN ann', 'JOIN ben']);
    expect(ben.messages.map(({ type }) => type.slice(13))).toEqual(['JOIN', 'TEXT', 'TEXT', 'JOIN']);
    await say('history', 'ben', 'his own');
    await say('history', 'ann', 'three');
    await expect.poll(() => ben.texts).toEqual(['one', 'two', 'three']);
    await expect.poll(() => ann.texts).toEqual(['his own']);
    expect(ben.messages.map(({ sequence }) => sequence)).toEqual(['1', '2', '3', '4', '6']);
  });

  test('who joins in another window too sees a long history whole, then that he has joined and the welcome, then what is said', async () => {
    const token = rig.service();
    const spec = { display_name: 'Long', welcome_message: 'Welcome!' };
    await pod.admin.applyRoom({ room_id: 'long', spec }, { token });
    using first = join('long', 'ann');
    await expect.poll(() => first.notices).toEqual(['JOIN ann']);
    for (let n = 1; n <= 40; n++) await say('long', 'ben', `${n} `.padEnd(8000, 'x'));
    using second = join('long', 'ann');
    await expect.poll(() => second.messages.length).toBe(43);
    await say('long', 'ben', 'live');
    await expect.poll(() => second.messages.length).toBe(44);
    const types = second.messages.map(({ type }) => type.slice(13));
    expect(types).toEqual(['JOIN', ...Array(40).fill('TEXT'), 'JOIN', 'SYSTEM', 'TEXT']);
  });

  test('a send is answered once it is in the log, with its place there', async () => {
    using reader = join('answers', 'ann');
    await expect.poll(() => reader.messages.length).toBe(1);
    const answer = await say('answers', 'ben', 'hello');
    expect(answer).toMatchObject({ success: true, sequence: '2', duplicate: false });
    await expect
      .poll(() => reader.messages[1])
      .toMatchObject({ id: answer.message_id, content: 'hello', sequence: '2' });
  });

  test('the same idempotency key again is answered with the first message; with other content it is refused', async () => {
    using reader = subscribe('keys', 'ann');
    await expect.poll(() => reader.opened).toBeTruthy();
    const first = await say('keys', 'ben', 'once', { idempotency_key: 'k' });
    const second = await say('keys', 'ben', 'once', { idempotency_key: 'k' });
    expect(second).toMatchObject({ message_id: first.message_id, sequence: first.sequence, duplicate: true });
    const other = await failureOf(say('keys', 'ben', 'else', { idempotency_key: 'k' }));
    expect(other).toMatchObject({ code: 'ALREADY_EXISTS', details: { reason: 'KEY_REUSED' } });
  });

  test('a subscriber hears his own messages, and resumes from his cursor without gap or repeat', async () => {
    const first = subscribe('resume', 'ann');
    await expect.poll(() => first.opened).toMatchObject({ resumed: false, history_lost: 'HISTORY_LOST_UNSPECIFIED' });
    await say('resume', 'ann', 'one');
    await expect.poll(() => first.texts).toEqual(['one']);
    first.cancel();
    await say('resume', 'ben', 'two');
    using second = subscribe('resume', 'ann', first.cursor);
    await say('resume', 'ben', 'three');
    await expect.poll(() => second.texts).toEqual(['two', 'three']);
    expect(second.opened).toMatchObject({ resumed: true });
    expect(second.notices).toEqual([]);
  });

  test('what a room does not keep any more nobody is shown, though others have just read it', async () => {
    const token = rig.service();
    await pod.admin.applyRoom({ room_id: 'few', spec: { display_name: 'Few', max_messages: 10 } }, { token });
    using ann = subscribe('few', 'ann');
    await expect.poll(() => ann.opened).toBeTruthy();
    for (let n = 1; n <= 30; n++) await say('few', 'ben', `${n}`);
    await expect.poll(() => ann.texts.length).toBe(30);
    const last10 = ann.texts.slice(-10);
    using joiner = join('few', 'cleo');
    await expect.poll(() => joiner.texts).toEqual(last10);
    const { epoch } = ann.messages[0]!;
    using behind = subscribe('few', 'dan', `${epoch}-0`);
    await expect.poll(() => behind.texts).toEqual(last10);
    expect(behind.opened).toMatchObject({ resumed: false, history_lost: 'HISTORY_LOST_TRIMMED' });
    using inTime = subscribe('few', 'eve', `${epoch}-${Number(ann.messages.at(-1)!.sequence) - 3}`);
    await expect.poll(() => inTime.opened).toMatchObject({ resumed: true });
  });

  test('who resumes before what was trimmed is told so on every pod, also where notices from before that are kept', async () => {
    const token = rig.service();
    await pod.admin.applyRoom({ room_id: 'fewer', spec: { display_name: 'Fewer', max_messages: 5 } }, { token });
    using ann = subscribe('fewer', 'ann');
    await expect.poll(() => ann.opened).toBeTruthy();
    for (let n = 1; n <= 12; n++) await say('fewer', 'ben', `${n}`);
    await expect.poll(() => ann.texts.length).toBe(12);
    const { epoch, sequence } = ann.messages.find(({ content }) => content === '3')!;
    await using other = await rig.pod(await store.log(), 'b');
    for (const { chat } of [pod, other]) {
      using resumed = Reader.ofSubscribe(
        chat.subscribe({ room_id: 'fewer', observe: true, after: `${epoch}-${sequence}` }),
      );
      await expect.poll(() => resumed.texts).toEqual(['8', '9', '10', '11', '12']);
      expect(resumed.opened).toMatchObject({ resumed: false, history_lost: 'HISTORY_LOST_TRIMMED' });
      using comer = Reader.ofJoin(chat.joinRoom(guest('fewer', 'cleo')));
      await expect.poll(() => comer.texts).toEqual(['8', '9', '10', '11', '12']);
    }
  });

  test('a cursor of another log, or ahead of this one, is told as EPOCH_CHANGED and followed by what is kept', async () => {
    using ann = subscribe('lost', 'ann');
    await expect.poll(() => ann.opened).toBeTruthy();
    await say('lost', 'ann', 'kept');
    await expect.poll(() => ann.texts).toEqual(['kept']);
    const [epoch] = ann.cursor.split('-');
    for (const cursor of ['other-1', `${epoch}-99`]) {
      using late = subscribe('lost', 'ben', cursor);
      await expect
        .poll(() => late.opened)
        .toMatchObject({ resumed: false, history_lost: 'HISTORY_LOST_EPOCH_CHANGED' });
      await expect.poll(() => late.texts).toEqual(['kept']);
    }
  });

  test('content that is blank, too long or has control characters is INVALID_ARGUMENT, with the reason', async () => {
    using reader = join('content', 'ann');
    await expect.poll(() => reader.messages.length).toBe(1);
    const messageOf = async (content: string) => (await failureOf(say('content', 'ann', content))).message;
    expect(await messageOf('x'.repeat(20_481))).toBe('content is 20,481 bytes; at most 16,384');
    expect(await messageOf('ä'.repeat(8193))).toBe('content is 16,386 bytes; at most 16,384');
    expect(await messageOf('')).toContain('content is empty');
    expect(await messageOf(' \n\t ')).toContain('content is blank');
    expect(await messageOf('bell\u0007')).toContain('U+0007');
    expect(await say('content', 'ann', 'tab\tand\nnewline')).toMatchObject({ success: true });
    expect(await say('content', 'ann', 'ä'.repeat(8192))).toMatchObject({ success: true });
  });

  test('room ids and names are checked, and a send to an absent room is NOT_FOUND', async () => {
    expect(await failureOf(say('no spaces', 'ann', 'x'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failureOf(say('absent', 'ann', 'x'))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failureOf(say('general', '', 'x'))).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await join('general', '').ended).toMatchObject({ code: 'INVALID_ARGUMENT' });
    expect(await failureOf(say('general', 'ann', 'x', { type: 'MESSAGE_TYPE_JOIN' }))).toMatchObject({
      code: 'INVALID_ARGUMENT',
    });
  });

  test('a guest may not go by the id or the name of a user with a password', async () => {
    expect(await failureOf(say('general', '1', 'x'))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await failureOf(say('general', 'Alice', 'x'))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await say('general', '77', 'x')).toMatchObject({ success: true });
  });

  test('with a token one is oneself: empty fields are filled in, others are PERMISSION_DENIED', async () => {
    const token = rig.token('1', 'alice');
    using reader = join('tokens', 'ann');
    await expect.poll(() => reader.messages.length).toBe(1);
    await pod.chat.sendMessage({ room_id: 'tokens', content: 'me' }, { token });
    await expect.poll(() => reader.messages[1]).toMatchObject({ user_id: '1', username: 'alice' });
    const asBob = pod.chat.sendMessage({ room_id: 'tokens', user_id: '2', content: 'x' }, { token });
    expect(await failureOf(asBob)).toMatchObject({ code: 'PERMISSION_DENIED' });
    const service = rig.service();
    await pod.chat.sendMessage({ room_id: 'tokens', user_id: '2', username: 'bob', content: 'x' }, { token: service });
    await expect.poll(() => reader.messages[2]).toMatchObject({ user_id: '2', username: 'bob' });
  });

  test('rooms are listed with their members, and general is there from the start', async () => {
    using reader = join('listed', 'ann');
    await expect.poll(() => reader.messages.length).toBe(1);
    const { rooms } = await pod.chat.listRooms({});
    expect(rooms.find(({ id }) => id === 'general')).toMatchObject({ name: 'General' });
    expect(rooms.find(({ id }) => id === 'listed')).toMatchObject({ name: 'Room listed', user_count: 1 });
    const paged: string[] = [];
    let page_token = '';
    do {
      const page = await pod.chat.listRooms({ page_size: 2, page_token });
      paged.push(...page.rooms.map(({ id }) => id));
      page_token = page.next_page_token;
    } while (page_token !== '');
    expect(paged).toEqual(rooms.map(({ id }) => id));
    expect(await pod.chat.getRoomInfo({ room_id: 'listed' })).toMatchObject({
      room: { user_count: 1 },
      user_ids: ['ann'],
    });
  });
});
