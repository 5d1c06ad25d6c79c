import { RpcChannel } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { describe, expect, test } from 'vitest';
import { type Store, stores } from './testing/logs.ts';
import { Reader } from './testing/reader.ts';
import { type Pod, Rig } from './testing/rig.ts';
import { Talker } from './testing/talker.ts';

describe.each(stores)('on $store', ({ open }) => {
  let store: Store;
  let rig: Rig;
  let pod: Pod;
  sharedFixture(async (stack) => {
    store = stack.use(await open());
    rig = stack.use(await Rig.start());
    pod = await rig.pod(await store.log(), 'a');
  });

  const talker = (token?: string) => new Talker(pod.chat.connect({ token }));
  const member = (room_id: string, name: string) => ({ room_id, user_id: name, username: name });

  test('many rooms on one stream: sends are answered by their ref, and each room tells its own', async () => {
    using ann = talker();
    for (const room of ['one', 'two']) {
      expect(await ann.ask({ subscribe: member(room, 'ann') })).toMatchObject({
        event: { room_id: room, opened: { resumed: false } },
      });
    }
    const answers = await Promise.all(
      ['a', 'b', 'c'].map((content, i) => ann.ask({ send: { ...member(i === 1 ? 'two' : 'one', 'ann'), content } })),
    );
    expect(answers.map(({ sent }) => sent?.success)).toEqual([true, true, true]);
    await expect.poll(() => ann.textsIn('one')).toEqual(['a', 'c']);
    await expect.poll(() => ann.textsIn('two')).toEqual(['b']);
  });

  test('what one sends on a stream arrives in the order in which he sent it', async () => {
    using ann = talker();
    await ann.ask({ subscribe: member('order', 'ann') });
    const texts = Array.from({ length: 500 }, (_, i) => `text ${i}`);
    await Promise.all(texts.map((content) => ann.ask({ send: { ...member('order', 'ann'), content } })));
    await expect.poll(() => ann.textsIn('order')).toEqual(texts);
  });

  test('a text that takes several HTTP/2 frames arrives whole, with those around it', async () => {
    using ann = talker();
    await ann.ask({ subscribe: member('long', 'ann') });
    const texts = ['before', 'x'.repeat(16_384), 'é'.repeat(8_000), 'after'];
    await Promise.all(texts.map((content) => ann.ask({ send: { ...member('long', 'ann'), content } })));
    await expect.poll(() => ann.textsIn('long')).toEqual(texts);
  });

  test('what a caller has compressed is read too', async () => {
    const gzip = 2;
    const channelOptions = { 'grpc.default_compression_algorithm': gzip } as const;
    using channel = new RpcChannel({ address: `127.0.0.1:${pod.port}`, channelOptions });
    using ann = new Talker(channel.client('chat.ChatService').connect());
    await ann.ask({ subscribe: member('packed', 'ann') });
    const content = 'again and again and '.repeat(100);
    expect(await ann.ask({ send: { ...member('packed', 'ann'), content } })).toMatchObject({ sent: { success: true } });
    await expect.poll(() => ann.textsIn('packed')).toEqual([content]);
  });

  test('a frame of more than 4 MiB ends the stream with RESOURCE_EXHAUSTED', async () => {
    using ann = talker();
    ann.tell({ send: { ...member('general', 'ann'), content: 'x'.repeat(4 * 1024 * 1024) } });
    expect(await ann.ended).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
  });

  test('an error is told with its code by the ref, and the stream goes on', async () => {
    using ann = talker();
    expect(await ann.ask({ send: { ...member('nowhere', 'ann'), content: 'x' } })).toMatchObject({
      error: { code: 'NOT_FOUND' },
    });
    expect(await ann.ask({ send: { ...member('general', 'ann'), content: ' ' } })).toMatchObject({
      error: { code: 'INVALID_ARGUMENT' },
    });
    expect(await ann.ask({ subscribe: member('general', 'alice') })).toMatchObject({
      error: { code: 'PERMISSION_DENIED' },
    });
    expect(await ann.ask({})).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } });
    expect(await ann.ask({ send: { ...member('general', 'ann'), content: 'fine' } })).toMatchObject({
      sent: { success: true },
    });
  });

  test('a stream whose caller has ended his side is answered in full, then ended well', async () => {
    using ann = talker();
    const answers = Promise.all(
      Array.from({ length: 50 }, (_, i) => ann.ask({ send: { ...member('general', 'ann'), content: `last ${i}` } })),
    );
    ann.end();
    expect((await answers).every(({ sent }) => sent?.success)).toBe(true);
    expect(await ann.ended).toBeUndefined();
  });

  test("typing is seen by the others, and a read mark counts on all of a user's devices", async () => {
    using alice = talker(rig.token('1', 'alice'));
    using ben = talker();
    await alice.ask({ subscribe: { room_id: 'marks' } });
    await ben.ask({ subscribe: member('marks', 'ben') });
    expect(await ben.ask({ typing: member('marks', 'ben') })).toMatchObject({ ack: {} });
    await expect
      .poll(() => alice.frames.filter(({ typing }) => typing).map(({ typing }) => typing?.user_id))
      .toEqual(['ben']);
    const { sent } = await ben.ask({ send: { ...member('marks', 'ben'), content: 'read me' } });
    await ben.ask({ send: { ...member('marks', 'ben'), content: 'and me' } });
    expect(await alice.ask({ read: { room_id: 'marks', cursor: `${sent!.epoch}-${sent!.sequence}` } })).toMatchObject({
      ack: {},
    });
    const token = rig.token('1', 'alice');
    expect((await pod.chat.getRoomInfo({ room_id: 'marks' }, { token })).room).toMatchObject({ unread: '1' });
    // Who is ahead of the log has read all of it, and nothing that is yet to be said.
    await alice.ask({ read: { room_id: 'marks', cursor: `${sent!.epoch}-999999999999999` } });
    expect((await pod.chat.getRoomInfo({ room_id: 'marks' }, { token })).room).toMatchObject({ unread: '0' });
    await ben.ask({ send: { ...member('marks', 'ben'), content: 'later' } });
    expect((await pod.chat.getRoomInfo({ room_id: 'marks' }, { token })).room).toMatchObject({ unread: '1' });
    expect(await ben.ask({ read: { room_id: 'marks', cursor: 'x-1' } })).toMatchObject({
      error: { code: 'UNAUTHENTICATED' },
    });
  });

  test('hello with a new token keeps the stream of the same caller, and of nobody else', async () => {
    using alice = talker(rig.token('1', 'alice'));
    expect(await alice.ask({ hello: { token: rig.token('1', 'alice') } })).toMatchObject({
      welcome: { user_id: '1', username: 'alice' },
    });
    expect(await alice.ask({ hello: { token: rig.token('2', 'bob') } })).toMatchObject({
      error: { code: 'PERMISSION_DENIED' },
    });
    expect(await alice.ask({ hello: { token: 'nonsense' } })).toMatchObject({ error: { code: 'UNAUTHENTICATED' } });
  });

  test("a gateway's stream brings many members into a room: one feed, each of them there", async () => {
    using gateway = talker(rig.service());
    using watcher = Reader.ofSubscribe(pod.chat.subscribe({ ...member('hub', 'watcher') }));
    await expect.poll(() => watcher.opened).toBeTruthy();
    const first = await gateway.ask({ subscribe: { ...member('hub', '11') } });
    expect(first.event).toMatchObject({ opened: { resumed: false } });
    const later = await gateway.ask({ subscribe: { ...member('hub', '12') } });
    expect(later.event?.messages).toEqual([]);
    await gateway.ask({ subscribe: { ...member('hub', '13'), observe: true } });
    await expect.poll(() => watcher.notices).toEqual(['JOIN watcher', 'JOIN 11', 'JOIN 12']);
    await gateway.ask({ send: { ...member('hub', '12'), content: 'once for all' } });
    await expect.poll(() => gateway.textsIn('hub')).toEqual(['once for all']);
    expect((await pod.chat.getRoomInfo({ room_id: 'hub' })).user_ids.sort()).toEqual(['11', '12', 'watcher']);
    await gateway.ask({ unsubscribe: { room_id: 'hub', user_id: '11' } });
    await gateway.ask({ send: { ...member('hub', '12'), content: 'still open' } });
    await expect.poll(() => gateway.textsIn('hub')).toEqual(['once for all', 'still open']);
    await expect.poll(() => watcher.notices, { timeout: 10_000 }).toContain('LEAVE 11');
    await gateway.ask({ unsubscribe: { room_id: 'hub', user_id: '' } });
    await expect.poll(() => watcher.notices, { timeout: 10_000 }).toContain('LEAVE 12');
  });

  test('a gateway learns the welcome wherever its feed begins, and each time it is another one', async () => {
    const token = rig.service();
    const apply = (welcome_message: string) =>
      pod.admin.applyRoom({ room_id: 'kind', spec: { display_name: 'Kind', welcome_message }, fence: 1 }, { token });
    await apply('Welcome!');
    const { room } = await pod.chat.getRoomInfo({ room_id: 'kind' });
    using gateway = talker(token);
    await gateway.ask({ subscribe: { ...member('kind', '11'), after: room!.cursor, observe: true } });
    const welcomes = () =>
      gateway.frames
        .flatMap(({ event }) => event?.messages ?? [])
        .filter(({ sequence }) => sequence === '0')
        .map(({ content }) => content);
    await expect.poll(welcomes).toEqual(['Welcome!']);
    await apply('Welcome back!');
    await apply('');
    await expect.poll(() => welcomes().at(-1)).toBe('');
    await gateway.ask({ subscribe: member('kind', '12') });
    await gateway.ask({ send: { ...member('kind', '12'), content: 'x' } });
    await expect.poll(() => gateway.textsIn('kind')).toEqual(['x']);
    expect(welcomes().at(-1)).toBe('');
    using ann = talker();
    await apply('Hello!');
    await ann.ask({ subscribe: { ...member('kind', 'ann'), after: room!.cursor } });
    await expect.poll(() => ann.textsIn('kind')).toEqual(['x']);
    expect(ann.frames.flatMap(({ event }) => event?.messages ?? []).filter(({ sequence }) => sequence === '0')).toEqual(
      [],
    );
  });

  test('of a private room a gateway learns for each member whether he may, and when he no longer may', async () => {
    const token = rig.service();
    const spec = { display_name: 'Secret', private: true, member_ids: ['1', '2'], history_on_join: 10 };
    await pod.admin.applyRoom({ room_id: 'secret', spec, fence: 1 }, { token });
    using gateway = talker(token);
    const alice = await gateway.ask({ subscribe: { room_id: 'secret', user_id: '1', username: 'alice' } });
    const bob = await gateway.ask({ subscribe: { room_id: 'secret', user_id: '2', username: 'bob' } });
    expect([alice.event?.opened, bob.event?.opened]).toEqual([expect.anything(), expect.anything()]);
    const carol = await gateway.ask({ subscribe: { room_id: 'secret', user_id: '3', username: 'carol' } });
    expect(carol).toMatchObject({ error: { code: 'PERMISSION_DENIED' } });
    await pod.admin.applyRoom({ room_id: 'secret', spec: { ...spec, member_ids: ['2'] }, fence: 1 }, { token });
    await expect.poll(() => gateway.closedIn('secret')).toMatchObject([{ ref: alice.ref, code: 'PERMISSION_DENIED' }]);
    await gateway.ask({ send: { room_id: 'secret', user_id: '2', username: 'bob', content: 'alone' } });
    await expect.poll(() => gateway.textsIn('secret')).toEqual(['alone']);
    await pod.admin.deleteRoom({ room_id: 'secret', fence: 1 }, { token });
    await expect.poll(() => gateway.closedIn('secret').at(-1)).toMatchObject({ ref: '', code: 'NOT_FOUND' });
  });
});
