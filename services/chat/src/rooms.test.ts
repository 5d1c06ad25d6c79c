import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { textDraft } from './messages/draft.ts';
import { type Store, stores } from './testing/logs.ts';
import { Reader } from './testing/reader.ts';
import { failureOf, type Pod, Rig } from './testing/rig.ts';

describe.each(stores)('on $store', ({ open }) => {
  let store: Store;
  let rig: Rig;
  let one: Pod;
  let two: Pod;
  let declared: Pod;
  sharedFixture(async (stack) => {
    store = stack.use(await open());
    rig = stack.use(await Rig.start());
    one = await rig.pod(await store.log(), 'one');
    two = await rig.pod(await store.log(), 'two');
    declared = await rig.pod(await store.log(), 'declared', { roomsMode: 'declared', authMode: 'required' });
  });

  const service = () => ({ token: rig.service() });
  const alice = () => ({ token: rig.token('1', 'alice') });
  const bob = () => ({ token: rig.token('2', 'bob') });
  const guest = (room_id: string, name: string) => ({ room_id, user_id: name, username: name });
  const apply = (room_id: string, spec = {}, more = {}) =>
    one.admin.applyRoom({ room_id, spec: { display_name: room_id, ...spec }, fence: 1, ...more }, service());
  const subscribe = (pod: Pod, room: string, name: string, as = {}) =>
    Reader.ofSubscribe(pod.chat.subscribe(guest(room, name), as));
  const isOpen = (reader: Reader) => expect.poll(() => reader.opened).toBeTruthy();

  test('where rooms are declared, joining makes none', async () => {
    expect(await subscribe(declared, 'undeclared', '', alice()).ended).toMatchObject({ code: 'NOT_FOUND' });
    await apply('declared');
    using reader = subscribe(declared, 'declared', '', alice());
    await isOpen(reader);
    expect(await subscribe(declared, 'declared', 'ann').ended).toMatchObject({ code: 'UNAUTHENTICATED' });
  });

  test('a room made private ends the streams of who is no member, on every pod', async () => {
    using ann = subscribe(one, 'closing', 'ann');
    using member = subscribe(two, 'closing', '', alice());
    await Promise.all([isOpen(ann), isOpen(member)]);
    await two.admin.applyRoom(
      { room_id: 'closing', spec: { display_name: 'c', private: true, member_ids: ['1'] } },
      service(),
    );
    expect(await ann.ended).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(ann.closed).toMatchObject({ code: 'UNAUTHENTICATED', cursor: expect.stringMatching(/^[a-z0-9]+-\d+$/) });
    expect(await failureOf(one.chat.sendMessage({ ...guest('closing', 'ann'), content: 'x' }))).toMatchObject({
      code: 'UNAUTHENTICATED',
    });
    expect(await failureOf(one.chat.sendMessage({ room_id: 'closing', content: 'x' }, bob()))).toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    expect(await failureOf(one.chat.getRoomInfo({ room_id: 'closing' }, bob()))).toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    expect(await failureOf(one.chat.listMessages({ room_id: 'closing' }, bob()))).toMatchObject({
      code: 'PERMISSION_DENIED',
    });
    const listed = async (as = {}) => (await one.chat.listRooms({}, as)).rooms.some(({ id }) => id === 'closing');
    expect(await Promise.all([listed(), listed(bob()), listed(alice()), listed(service())])).toEqual([
      false,
      false,
      true,
      true,
    ]);
    await one.chat.sendMessage({ room_id: 'closing', content: 'among us' }, alice());
    await expect.poll(() => member.texts).toEqual(['among us']);
  });

  test('an archived room can be read and not written', async () => {
    using reader = subscribe(one, 'archive', 'ann');
    await isOpen(reader);
    await apply('archive', { archived: true });
    expect(await failureOf(two.chat.sendMessage({ ...guest('archive', 'ann'), content: 'x' }))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    using later = subscribe(two, 'archive', 'ben');
    await isOpen(later);
  });

  test('a room deleted and made anew has its own rules, also on a pod that still knows the earlier one', async () => {
    await apply('anew');
    await two.chat.sendMessage({ room_id: 'anew', content: 'by the old rules' }, alice());
    await one.admin.deleteRoom({ room_id: 'anew', fence: 1 }, service());
    await apply('anew', { archived: true });
    expect(await failureOf(two.chat.sendMessage({ room_id: 'anew', content: 'x' }, alice()))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
  });

  test('a full room takes nobody more, and who is there may come with another window', async () => {
    await apply('small', { max_members: 2 });
    using first = subscribe(one, 'small', 'ann');
    using second = subscribe(two, 'small', 'ben');
    await Promise.all([isOpen(first), isOpen(second)]);
    expect(await subscribe(one, 'small', 'cem').ended).toMatchObject({
      code: 'RESOURCE_EXHAUSTED',
      details: { reason: 'ROOM_FULL' },
    });
    using window = subscribe(two, 'small', 'ann');
    await isOpen(window);
  });

  test("a member's messages a minute are limited as the room says", async () => {
    await apply('slow', { messages_per_minute: 60, burst: 2 });
    const say = () => one.chat.sendMessage({ ...guest('slow', 'ann'), content: 'x' });
    await say();
    await say();
    const error = await failureOf(say());
    expect(error.code).toBe('RESOURCE_EXHAUSTED');
    expect(error.details.retryAfterMs).toBeGreaterThan(0);
  });

  test('who comes is welcomed, by a line that has no place in the log', async () => {
    await apply('kind', { welcome_message: 'Welcome!', history_on_join: 0 });
    using ann = subscribe(one, 'kind', 'ann');
    await expect
      .poll(() => ann.messages.map(({ type, content, sequence }) => ({ type, content, sequence })))
      .toEqual([
        { type: 'MESSAGE_TYPE_JOIN', content: 'ann joined the room', sequence: '1' },
        { type: 'MESSAGE_TYPE_SYSTEM', content: 'Welcome!', sequence: '0' },
      ]);
    using again = Reader.ofSubscribe(two.chat.subscribe({ ...guest('kind', 'ann'), after: ann.cursor }));
    await isOpen(again);
    expect(again.messages).toEqual([]);
  });

  test('a moderator blanks a message: its text is gone for everybody, its place stays', async () => {
    await apply('moderated', { moderator_ids: ['1'] });
    using reader = subscribe(two, 'moderated', 'ann');
    await isOpen(reader);
    const { message_id, sequence } = await one.chat.sendMessage({ ...guest('moderated', 'ben'), content: 'rude' });
    await expect.poll(() => reader.texts).toEqual(['rude']);
    const request = { room_id: 'moderated', message_id };
    expect(await failureOf(one.chat.removeMessage(request))).toMatchObject({ code: 'UNAUTHENTICATED' });
    expect(await failureOf(one.chat.removeMessage(request, bob()))).toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await failureOf(one.chat.removeMessage({ ...request, message_id: 'none' }, alice()))).toMatchObject({
      code: 'NOT_FOUND',
    });
    await one.chat.removeMessage(request, alice());
    await expect
      .poll(() => reader.messages.at(-1))
      .toMatchObject({ type: 'MESSAGE_TYPE_REMOVED', target_id: message_id });
    using later = subscribe(two, 'moderated', 'cem');
    await expect
      .poll(() => later.messages.find(({ id }) => id === message_id))
      .toMatchObject({ content: '', sequence });
    await one.chat.removeMessage(request, alice());
    const { messages } = await one.chat.listMessages({ room_id: 'moderated' });
    expect(messages.filter(({ type }) => type === 'MESSAGE_TYPE_REMOVED')).toHaveLength(1);
    expect(JSON.stringify(messages)).not.toContain('rude');
  });

  test('a page of long messages is as much as a client takes: the newest, or after a cursor what comes first', async () => {
    await apply('long', { history_on_join: 300 });
    const { version } = (await one.log.room('long'))!;
    const actor = { userId: 'ann', username: 'ann', standing: 'guest' as const };
    const say = (content: string) => textDraft(actor, { room_id: 'long', content, idempotency_key: '' }, 'TEXT');
    for (let n = 0; n < 300; n += 50) {
      const contents = Array.from({ length: 50 }, (_, at) => `${n + at} `.padEnd(16_000, 'x'));
      await one.log.append('long', version, contents.map(say));
    }
    const list = (after: string, limit: number) => one.chat.listMessages({ room_id: 'long', after, limit });
    const newest = await list('', 0);
    expect(newest.messages.length).toBeGreaterThan(150);
    expect(newest.messages.at(-1)?.content).toMatch(/^299 /);
    const { epoch } = newest.messages[0]!;
    const numbers: number[] = [];
    for (let after = `${epoch}-0`; numbers.length < 300; ) {
      const { messages, cursor } = await list(after, 1000);
      expect(messages.length).toBeGreaterThan(50);
      numbers.push(...messages.map(({ content }) => Number.parseInt(content, 10)));
      after = cursor;
    }
    expect(numbers).toEqual(Array.from({ length: 300 }, (_, at) => at));
  });

  test('a moderator blanks a message of an archived room, and whoever reads it hears of that', async () => {
    await apply('archived', { moderator_ids: ['1'] });
    using reader = subscribe(two, 'archived', 'ann');
    await isOpen(reader);
    const { message_id } = await one.chat.sendMessage({ ...guest('archived', 'ben'), content: 'rude' });
    await expect.poll(() => reader.texts).toEqual(['rude']);
    await apply('archived', { moderator_ids: ['1'], archived: true });
    await one.chat.removeMessage({ room_id: 'archived', message_id }, alice());
    await expect
      .poll(() => reader.messages.at(-1))
      .toMatchObject({ type: 'MESSAGE_TYPE_REMOVED', target_id: message_id });
    using later = subscribe(two, 'archived', 'cem');
    await expect.poll(() => later.messages.find(({ id }) => id === message_id)).toMatchObject({ content: '' });
    const notice = reader.messages.find(({ type }) => type === 'MESSAGE_TYPE_JOIN')!;
    const refused = one.chat.removeMessage({ room_id: 'archived', message_id: notice.id }, alice());
    expect(await failureOf(refused)).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a muted member reads and does not send, until the mute ends', async () => {
    await apply('muting', { moderator_ids: ['1'] });
    const say = () => two.chat.sendMessage({ room_id: 'muting', content: 'x' }, bob());
    await say();
    await one.chat.muteMember({ room_id: 'muting', user_id: '2', seconds: 3600 }, alice());
    expect(await failureOf(say())).toMatchObject({ code: 'PERMISSION_DENIED', details: { reason: 'MUTED' } });
    await one.chat.muteMember({ room_id: 'muting', user_id: '2', seconds: 0 }, alice());
    await say();
    expect(
      await failureOf(one.chat.muteMember({ room_id: 'muting', user_id: '2', seconds: -1 }, alice())),
    ).toMatchObject({ code: 'INVALID_ARGUMENT' });
  });

  test('a removed member is gone at once, on every pod, and may not come back', async () => {
    await apply('removing', { moderator_ids: ['1'] });
    using watcher = subscribe(one, 'removing', 'ann');
    using reader = subscribe(two, 'removing', '', bob());
    await Promise.all([isOpen(watcher), isOpen(reader)]);
    await one.chat.removeMember({ room_id: 'removing', user_id: '2' }, alice());
    expect(await reader.ended).toMatchObject({ code: 'PERMISSION_DENIED', details: { reason: 'REMOVED' } });
    expect(await subscribe(two, 'removing', '', bob()).ended).toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect.poll(() => watcher.notices).toContain('LEAVE 2');
  });

  test('a room belongs to one owner, and a leader that was replaced writes nothing', async () => {
    const owner = { namespace: 'chat', name: 'mine', uid: 'u1', generation: 1 };
    const made = await apply('owned', {}, { owner, fence: 3 });
    expect(made).toMatchObject({ room_id: 'owned', owner: { uid: 'u1' }, members: 0, messages: '0' });
    expect(await failureOf(apply('owned', {}, { owner: { ...owner, uid: 'u2' }, fence: 3 }))).toMatchObject({
      code: 'ALREADY_EXISTS',
    });
    expect(await failureOf(apply('owned', {}, { owner, fence: 2 }))).toMatchObject({ code: 'FAILED_PRECONDITION' });
    expect((await apply('owned', {}, { owner, fence: 3 })).digest).toBe(made.digest);
    expect((await apply('owned', { topic: 'new' }, { owner, fence: 4 })).digest).not.toBe(made.digest);
    expect(await failureOf(one.admin.deleteRoom({ room_id: 'owned', owner, fence: 3 }, service()))).toMatchObject({
      code: 'FAILED_PRECONDITION',
    });
    await one.admin.deleteRoom({ room_id: 'owned', owner, fence: 4 }, service());
    expect(await failureOf(one.admin.getRoom({ room_id: 'owned' }, service()))).toMatchObject({ code: 'NOT_FOUND' });
    expect(await failureOf(one.admin.getRoom({ room_id: 'general' }, alice()))).toMatchObject({
      code: 'PERMISSION_DENIED',
    });
  });

  test('every field of a spec that is out of range is named', async () => {
    const error = await failureOf(
      apply('bad', { display_name: 'x'.repeat(81), max_members: -1, history_on_join: 5000 }),
    );
    expect(error.details.fields?.map(({ field }) => field)).toEqual([
      'spec.display_name',
      'spec.max_members',
      'spec.history_on_join',
    ]);
  });

  test('a watcher is told of all rooms, then that it is all, then of what changes', async () => {
    await apply('watched');
    const call = two.admin.watchRooms({}, service());
    const rooms: string[] = [];
    const deleted: string[] = [];
    let synced = false;
    void call
      .each((frame) => {
        rooms.push(...frame.rooms.map(({ room_id, messages }) => `${room_id}:${messages}`));
        deleted.push(...frame.deleted);
        synced ||= frame.synced;
      })
      .catch(() => undefined);
    await expect.poll(() => synced).toBe(true);
    expect(rooms).toContain('watched:0');
    await one.chat.sendMessage({ ...guest('watched', 'ann'), content: 'x' });
    await expect.poll(() => rooms, { timeout: 5000 }).toContain('watched:1');
    await one.admin.deleteRoom({ room_id: 'watched', fence: 1 }, service());
    await expect.poll(() => deleted, { timeout: 5000 }).toContain('watched');
    call.cancel();
  });
});
