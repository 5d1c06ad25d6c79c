import { once } from 'node:events';
import { silentLog, unavailable } from '@parley/kit';
import { sharedFixture } from '@parley/kit/testing/fixture';
import { beforeEach, describe, expect, test } from 'vitest';
import type { ChatRoom } from '../api/index.ts';
import { LEASE_NAME, Operator, type OperatorOptions } from '../operator.ts';
import { createMetrics, findCondition, type Metrics } from '../runtime/index.ts';
import { ChatServer } from '../testing/chat-server.ts';
import { type Cluster, startCluster } from '../testing/cluster.ts';
import { until } from '../testing/until.ts';

const path = '/apis/parley.dev/v1alpha1/namespaces/default/chatrooms';
const merge = { contentType: 'application/merge-patch+json' };

let cluster: Cluster;
let chat: ChatServer;
let operator: Operator;
let metrics: Metrics;
let stop: AbortController;
let running: Promise<void>;

function options(): OperatorOptions {
  metrics = createMetrics();
  return {
    client: cluster.client({ metrics, userAgent: 'operator-under-test' }),
    admin: chat.channel.client('chat.RoomAdminService'),
    users: chat.channel.client('auth.AuthService'),
    namespace: 'default',
    watchNamespace: 'default',
    identity: crypto.randomUUID(),
    log: silentLog,
    metrics,
    // Long ones: what is tested is another thing, and a machine may be busy.
    election: { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 200 },
    retry: { baseMs: 20, maxMs: 500, perSecond: 1_000, burst: 1_000 },
    throttle: { everyMs: 300, perSecond: 1_000 },
    awayAfterMs: 600,
  };
}

async function startOperator(change: Partial<OperatorOptions> = {}): Promise<void> {
  stop = new AbortController();
  operator = new Operator({ ...options(), ...change });
  running = operator.run(stop.signal);
  await until('it leads', () => operator.term);
}

async function stopOperator(): Promise<void> {
  stop.abort();
  await running;
}

sharedFixture(async (stack) => {
  cluster = stack.use(await startCluster());
  chat = stack.use(await ChatServer.listen());
  stack.defer(stopOperator);
  await startOperator();
});
beforeEach(() => {
  chat.users.set('alice', '1').set('bob', '2');
});

const get = async (name: string): Promise<ChatRoom> => (await cluster.api.request('GET', `${path}/${name}`)).body;
const create = async (name: string, spec: object = {}) => {
  const body = {
    apiVersion: 'parley.dev/v1alpha1',
    kind: 'ChatRoom',
    metadata: { name },
    spec: { displayName: name, ...spec },
  };
  const answer = await cluster.api.request('POST', path, { body });
  expect(answer.status, JSON.stringify(answer.body)).toBe(201);
  return answer.body as ChatRoom;
};
const edit = (name: string, spec: object) =>
  cluster.api.request('PATCH', `${path}/${name}`, { body: { spec }, ...merge });
const condition = async (name: string, type: string) => findCondition((await get(name)).status?.conditions, type);
const ready = (name: string, status = 'True', reason?: string) =>
  until(`${name} Ready=${status} ${reason ?? ''}`, async () => {
    const room = await get(name);
    const found = findCondition(room.status?.conditions, 'Ready');
    const current = found?.status === status && (reason === undefined || found.reason === reason);
    return current && (status !== 'True' || room.status?.observedGeneration === room.metadata.generation)
      ? room
      : undefined;
  });
const events = async (name: string): Promise<{ reason: string; note: string }[]> => {
  const { body } = await cluster.api.request('GET', '/apis/events.k8s.io/v1/namespaces/default/events');
  return body.items.filter((item: { regarding: { name: string } }) => item.regarding.name === name);
};
const event = (name: string, reason: string) =>
  until(`Event ${reason}`, async () => (await events(name)).find((item) => item.reason === reason));
/** The operator's writes of a room and of Events about it, as the API server counted them. */
const writes = async (name: string) => {
  return (await cluster.asked())
    .filter(({ userAgent }) => userAgent === 'operator-under-test')
    .filter(({ verb }) => !['get', 'list', 'watch'].includes(verb))
    .filter(({ objectRef }) => objectRef?.name === name || objectRef?.name?.startsWith(`${name}.`)).length;
};
const reconciles = async () => {
  const { values } = await metrics.reconciles.get();
  return values.reduce((sum, { value }) => sum + value, 0);
};

describe('a room', () => {
  test('is made with its rules, and its status says so', async () => {
    await create('rules', {
      topic: 'Anything goes',
      visibility: 'private',
      members: ['alice', 'bob'],
      moderators: ['alice'],
      maxMembers: 500,
      retention: { maxMessages: 100, maxAge: '720h' },
      rateLimit: { messagesPerMinute: 60 },
    });
    const { status, metadata } = await ready('rules');
    expect(chat.rooms.get('rules')).toMatchObject({
      spec: {
        display_name: 'rules',
        private: true,
        member_ids: ['1', '2'],
        moderator_ids: ['1'],
        max_members: 500,
        max_messages: 100,
        max_age_seconds: '2592000',
        history_on_join: 50,
        messages_per_minute: 60,
        burst: 10,
      },
      owner: { namespace: 'default', name: 'rules', uid: metadata.uid, generation: '1' },
    });
    expect(status).toMatchObject({ roomId: 'rules', observedGeneration: 1, members: 0, messages: 0 });
    expect(findCondition(status?.conditions, 'MembersResolved')).toMatchObject({ status: 'True', reason: 'AllKnown' });
    expect(findCondition(status?.conditions, 'Drifted')).toMatchObject({ status: 'False', reason: 'InSync' });
    expect(metadata.finalizers).toEqual(['parley.dev/room']);
  });

  test('follows its spec', async () => {
    await create('follows');
    await ready('follows');
    await edit('follows', { topic: 'News', archived: true });
    await until('the topic', () => chat.rooms.get('follows')?.spec?.topic === 'News');
    const { status } = await ready('follows');
    expect(status?.observedGeneration).toBe(2);
    expect(chat.rooms.get('follows')?.spec?.archived).toBe(true);
    expect(await condition('follows', 'Drifted')).toMatchObject({ status: 'False' });
  });

  test('takes two writes to the API server and one call to chat, and a second reconcile writes nothing', async () => {
    const [before, calls] = [await writes('frugal'), chat.calls.applyRoom];
    await create('frugal');
    await ready('frugal');
    await until('the audit log', async () => (await writes('frugal')) >= before + 2);
    expect(chat.calls.applyRoom - calls).toBe(1);
    // Something that is no change for the room: it is looked at again.
    const count = await reconciles();
    await cluster.api.request('PATCH', `${path}/frugal`, { body: { metadata: { labels: { a: 'b' } } }, ...merge });
    await until('a reconcile', async () => (await reconciles()) > count);
    await create('after-frugal');
    await ready('after-frugal');
    await until('the audit log again', async () => (await writes('after-frugal')) > 0);
    expect(await writes('frugal')).toBe(before + 2);
    expect(chat.calls.applyRoom - calls).toBe(2);
  });

  test('of which somebody else says something in the status, too, is written no more for that', async () => {
    const before = await writes('audited');
    await create('audited');
    const { metadata } = await ready('audited');
    const audited = { type: 'Audited', status: 'True', reason: 'Looked', message: '' };
    const lastTransitionTime = metadata.creationTimestamp;
    const theirs = await cluster.api.request('PATCH', `${path}/audited/status?fieldManager=auditor`, {
      body: {
        apiVersion: 'parley.dev/v1alpha1',
        kind: 'ChatRoom',
        metadata: { name: 'audited' },
        status: { conditions: [{ ...audited, lastTransitionTime }] },
      },
      contentType: 'application/apply-patch+yaml',
    });
    expect(theirs.status, JSON.stringify(theirs.body)).toBe(200);
    const count = await reconciles();
    await cluster.api.request('PATCH', `${path}/audited`, { body: { metadata: { labels: { a: 'b' } } }, ...merge });
    await until('a reconcile', async () => (await reconciles()) > count);
    await create('after-audited');
    await ready('after-audited');
    await until('the audit log', async () => (await writes('after-audited')) > 0);
    expect(await writes('audited')).toBe(before + 2);
    expect(await condition('audited', 'Audited')).toMatchObject(audited);
  });

  test('that nobody has is adopted', async () => {
    chat.make('found');
    // The operator has heard of it when it hears of what came after.
    await create('next');
    await ready('next');
    chat.talk('next', { members: 1 });
    await until('the numbers', async () => (await get('next')).status?.members === 1);
    await create('found');
    await ready('found');
    expect(chat.rooms.get('found')?.spec?.display_name).toBe('found');
    await event('found', 'Adopted');
  });

  test('shows its members and messages as they move, without a write for each', async () => {
    await create('lively');
    await ready('lively');
    const before = await writes('lively');
    for (let i = 1; i <= 50; i++) {
      chat.talk('lively', { members: 3, messages: String(i), last_message_time: '2026-11-23T12:00:00.123456Z' });
    }
    await until('the numbers', async () => (await get('lively')).status?.messages === 50);
    expect((await get('lively')).status).toMatchObject({ members: 3, lastMessageTime: '2026-11-23T12:00:00Z' });
    expect((await writes('lively')) - before).toBeLessThan(5);
  });
});

describe('drift', () => {
  test.each([
    ['an edit', (id: string) => chat.edit(id, { topic: 'changed' }), /changed behind this resource: topic/],
    ['a deletion', (id: string) => chat.remove(id), /the room had been deleted/],
  ])('%s behind the operator is put right, and said', async (kind, act, message) => {
    const name = `drift-${kind.split(' ')[1]}`;
    await create(name, { topic: 'mine' });
    await ready(name);
    act(name);
    await until('put right', () => chat.rooms.get(name)?.spec?.topic === 'mine');
    const drifted = await until('Drifted', async () => {
      const found = await condition(name, 'Drifted');
      return found?.status === 'True' ? found : undefined;
    });
    expect(drifted).toMatchObject({ reason: 'PutRight', message: expect.stringMatching(message) });
    expect((await event(name, 'Drifted')).note).toMatch(message);
    expect(await condition(name, 'Ready')).toMatchObject({ status: 'True' });
  });

  test('between a write and its answer is put right too', async () => {
    await create('barrier', { topic: 'mine' });
    await create('raced', { topic: 'mine' });
    await ready('barrier');
    await ready('raced');
    chat.beforeAnswer = async (roomId) => {
      if (roomId !== 'raced') return;
      chat.beforeAnswer = undefined;
      chat.edit('raced', { topic: 'changed' });
      // What is told after it has been put right: then the operator has been told of the edit, too.
      chat.edit('barrier', { topic: 'changed' });
      await until('the operator has been told', () => chat.rooms.get('barrier')?.spec?.topic === 'mine');
    };
    await edit('raced', { topic: 'mine again' });
    await until('the race', () => chat.beforeAnswer === undefined);
    await until('put right', () => chat.rooms.get('raced')?.spec?.topic === 'mine again');
    await event('raced', 'Drifted');
  });

  test('that comes again is told again, and its repeats are counted', async () => {
    await create('fought', { topic: 'mine' });
    await ready('fought');
    for (const topic of ['changed', 'changed again', 'and again']) {
      const { lastDriftTime } = (await get('fought')).status ?? {};
      // Its time has whole seconds.
      await expect.poll(() => Date.now() - Date.parse(lastDriftTime ?? '1970-01-01T00:00:00Z')).toBeGreaterThan(1000);
      chat.edit('fought', { topic });
      await until('told', async () => {
        const { status } = await get('fought');
        return (
          status?.lastDriftTime !== lastDriftTime && findCondition(status?.conditions, 'Drifted')?.status === 'True'
        );
      });
    }
    const drifts = (await events('fought')).filter(({ reason }) => reason === 'Drifted');
    // The third is written with a later one: a repeat of a repeat waits for half a minute.
    expect(drifts).toMatchObject([{ series: { count: 2 } }]);
    expect(await condition('fought', 'Ready')).toMatchObject({ status: 'True' });
  });

  test('is told though the resource is touched before its status is written', async () => {
    await create('touched', { topic: 'mine' });
    await ready('touched');
    chat.beforeAnswer = async (roomId) => {
      if (roomId !== 'touched') return;
      chat.beforeAnswer = undefined;
      const body = { metadata: { annotations: { by: 'kubectl' } } };
      await cluster.api.request('PATCH', `${path}/touched`, { body, ...merge });
    };
    chat.edit('touched', { topic: 'changed' });
    await until('Drifted', async () => (await condition('touched', 'Drifted'))?.status === 'True');
    expect(await condition('touched', 'Drifted')).toMatchObject({ message: expect.stringMatching(/topic/) });
    await event('touched', 'Drifted');
    expect((await events('touched')).filter(({ reason }) => reason === 'Drifted')).toHaveLength(1);
  });

  test('while nobody led is found by the next leader, which applies nothing else again', async () => {
    await create('unwatched', { topic: 'mine' });
    await ready('unwatched');
    await stopOperator();
    const applied = chat.calls.applyRoom;
    chat.edit('unwatched', { topic: 'changed' });
    await startOperator();
    await until('put right', () => chat.rooms.get('unwatched')?.spec?.topic === 'mine');
    await event('unwatched', 'Drifted');
    expect(chat.calls.applyRoom - applied).toBe(1);
  });

  test('of a room with a name that nobody has is found all the same, though the user service is away', async () => {
    await create('half-known', { topic: 'mine', members: ['alice', 'nobody'] });
    await ready('half-known');
    await stopOperator();
    chat.edit('half-known', { topic: 'changed', member_ids: ['666'] });
    chat.failing.add('lookupUsers');
    await startOperator();
    await until('put right', () => chat.rooms.get('half-known')?.spec?.topic === 'mine');
    expect(chat.rooms.get('half-known')?.spec?.member_ids).toEqual(['1']);
    await event('half-known', 'Drifted');
    await until('Drifted', async () => (await condition('half-known', 'Drifted'))?.status === 'True');
    await ready('half-known', 'Unknown', 'UsersUnavailable');
    chat.failing.clear();
    await ready('half-known');
    expect(await condition('half-known', 'MembersResolved')).toMatchObject({ reason: 'UnknownUsers' });
  });

  test('that there is none of, because the stream is behind, lets in who has been found by the way', async () => {
    await create('behind', { members: ['newcomer'] });
    await ready('behind');
    await stopOperator();
    chat.users.set('newcomer', '8');
    const admin = chat.channel.client('chat.RoomAdminService');
    const behind = async function* (_request: object, { signal }: { signal: AbortSignal }) {
      yield { rooms: [{ ...chat.rooms.get('behind')!, digest: 'of before' }], deleted: [], synced: true };
      await once(signal, 'abort');
    };
    await startOperator({ admin: { ...admin, watchRooms: behind as never } });
    await until('let in', () => chat.rooms.get('behind')?.spec?.member_ids.includes('8'));
    await until('resolved', async () => (await condition('behind', 'MembersResolved'))?.status === 'True');
    expect((await events('behind')).filter(({ reason }) => reason === 'Drifted')).toEqual([]);
    await stopOperator();
    await startOperator();
  });
});

describe('two resources that claim one room id:', () => {
  test('the older has it, the other says so, and gets it when the older goes', async () => {
    await create('older', { roomId: 'contested' });
    const older = await ready('older');
    // Times of creation have whole seconds.
    const created = Date.parse(older.metadata.creationTimestamp ?? '');
    await expect.poll(() => Date.now() - created).toBeGreaterThan(1000);
    await create('younger', { roomId: 'contested' });
    const taken = await ready('younger', 'False', 'RoomIdTaken');
    expect(findCondition(taken.status?.conditions, 'Ready')?.message).toContain('default/older');
    expect(chat.rooms.get('contested')?.owner?.name).toBe('older');
    await event('younger', 'RoomIdTaken');
    await cluster.api.request('DELETE', `${path}/older`);
    await ready('younger');
    expect(chat.rooms.get('contested')?.owner?.name).toBe('younger');
  });

  test('a room of a resource elsewhere is not taken', async () => {
    chat.make('elsewhere', { namespace: 'other', name: 'elsewhere', uid: 'x', generation: '1' });
    await create('elsewhere');
    const room = await ready('elsewhere', 'False', 'RoomIdTaken');
    expect(findCondition(room.status?.conditions, 'Ready')?.message).toContain('other/elsewhere');
  });

  test('a room whose resource is no more is taken over', async () => {
    chat.make('orphan', { namespace: 'default', name: 'orphan', uid: 'of-long-ago', generation: '1' });
    await create('orphan');
    await ready('orphan');
    await event('orphan', 'TakenOver');
  });
});

describe('members', () => {
  test('that nobody is are listed, and the others are in', async () => {
    await create('strangers', { members: ['alice', 'nobody', 'noone'] });
    await ready('strangers');
    const resolved = await condition('strangers', 'MembersResolved');
    expect(resolved).toMatchObject({
      status: 'False',
      reason: 'UnknownUsers',
      message: 'nobody is named nobody, noone',
    });
    expect(chat.rooms.get('strangers')?.spec?.member_ids).toEqual(['1']);
  });

  test('stay who they were when the name is used again by another', async () => {
    await create('inherited', { members: ['alice'] });
    await ready('inherited');
    chat.users.set('alice', '99');
    await edit('inherited', { members: ['alice', 'bob'] });
    await until('bob', () => chat.rooms.get('inherited')?.spec?.member_ids.length === 2);
    expect(chat.rooms.get('inherited')?.spec?.member_ids).toEqual(['1', '2']);
  });
});

describe('a name that is somebody by now', () => {
  test('is let in, though chat was away when he was found', async () => {
    await create('late', { members: ['alice', 'late'] });
    await ready('late');
    await stopOperator();
    chat.users.set('late', '7');
    chat.failing.add('applyRoom');
    await startOperator();
    await ready('late', 'Unknown', 'ChatUnavailable');
    chat.failing.clear();
    await until('let in', () => chat.rooms.get('late')?.spec?.member_ids.includes('7'));
    await until('resolved', async () => (await condition('late', 'MembersResolved'))?.status === 'True');
  });
});

describe('deletion', () => {
  test.each([
    ['Retain', false],
    ['Delete', true],
  ])('with %s: the history goes: %s', async (deletionPolicy, erased) => {
    const name = `goes-${deletionPolicy.toLowerCase()}`;
    await create(name, { deletionPolicy });
    await ready(name);
    await cluster.api.request('DELETE', `${path}/${name}`);
    await until('gone', async () => (await cluster.api.request('GET', `${path}/${name}`)).status === 404);
    expect(chat.erased.includes(name)).toBe(erased);
    if (!erased) expect(chat.rooms.get(name)?.owner).toBeNull();
  });
});

describe('while chat is away', () => {
  test('rooms are Ready=Unknown, and what was asked meanwhile is done when it is back', async () => {
    await create('waits');
    await create('goes-meanwhile', { deletionPolicy: 'Delete' });
    await create('idle');
    await ready('idle');
    await ready('waits');
    await ready('goes-meanwhile');
    await chat.stop();
    await create('made-meanwhile');
    await edit('waits', { topic: 'meanwhile' });
    await cluster.api.request('DELETE', `${path}/goes-meanwhile`);
    await ready('made-meanwhile', 'Unknown', 'ChatUnavailable');
    await ready('waits', 'Unknown', 'ChatUnavailable');
    // One that has nothing to do is not known to be there either.
    await ready('idle', 'Unknown', 'ChatUnavailable');
    // One that chat has never heard of is not held.
    await create('never-made');
    await ready('never-made', 'Unknown', 'ChatUnavailable');
    await cluster.api.request('DELETE', `${path}/never-made`);
    expect((await cluster.api.request('GET', `${path}/never-made`)).status).toBe(404);
    expect((await get('goes-meanwhile')).metadata.finalizers).toEqual(['parley.dev/room']);
    await chat.start();
    for (const name of ['made-meanwhile', 'waits', 'idle']) await ready(name);
    expect(chat.rooms.get('waits')?.spec?.topic).toBe('meanwhile');
    await until('gone', async () => (await cluster.api.request('GET', `${path}/goes-meanwhile`)).status === 404);
    expect(chat.erased).toContain('goes-meanwhile');
    expect(await condition('waits', 'Drifted')).toMatchObject({ status: 'False' });
  }, 30_000);
});

test('a room whose making was never answered is given back all the same', async () => {
  chat.beforeAnswer = async (roomId) => {
    if (roomId === 'unanswered') throw unavailable('the answer is lost');
  };
  await create('beside');
  await ready('beside');
  try {
    await create('unanswered', { deletionPolicy: 'Delete' });
    await until('it is made', () => chat.rooms.has('unanswered'));
    await ready('unanswered', 'Unknown', 'ChatUnavailable');
    await chat.stop();
    await ready('beside', 'Unknown', 'ChatUnavailable');
    await cluster.api.request('DELETE', `${path}/unanswered`);
    const count = await reconciles();
    await until('a reconcile', async () => (await reconciles()) > count + 1);
    expect((await get('unanswered')).metadata.finalizers).toEqual(['parley.dev/room']);
  } finally {
    chat.beforeAnswer = undefined;
    await chat.start();
  }
  await until('gone', async () => (await cluster.api.request('GET', `${path}/unanswered`)).status === 404);
  expect(chat.erased).toContain('unanswered');
  await ready('beside');
}, 30_000);

describe('what cannot be done is said:', () => {
  test('chat refuses the spec', async () => {
    await create('refused', { displayName: 'refuse me' });
    const room = await ready('refused', 'False', 'Rejected');
    expect(findCondition(room.status?.conditions, 'Ready')?.message).toContain('display_name is not allowed');
  });

  test('a Lease that was deleted counts from the start: the leader catches up with the fence that chat remembers', async () => {
    await create('fenced');
    await ready('fenced');
    const room = chat.rooms.get('fenced')!;
    chat.rooms.set('fenced', { ...room, fence: 1_000 });
    await edit('fenced', { topic: 'written with a higher fence' });
    await until('the topic', () => chat.rooms.get('fenced')?.spec?.topic === 'written with a higher fence');
    expect(operator.term!.fence).toBeGreaterThanOrEqual(1_000);
    const lease = await cluster.api.request(
      'GET',
      `/apis/coordination.k8s.io/v1/namespaces/default/leases/${LEASE_NAME}`,
    );
    expect(lease.body.spec.leaseTransitions).toBe(operator.term!.fence);
  });
});
