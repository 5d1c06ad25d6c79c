import { AppError } from '@parley/kit/errors';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { type ChatRoom, ROOM_FINALIZER } from '../api/index.ts';
import { winnerOf } from './claims.ts';
import { type Observed, plan, type SeenRoom } from './plan.ts';
import { changesInMs, DRIFT_SHOWN_MS, type Outcome, onlyNumbersDiffer, statusAfter, unreachable } from './status.ts';

const now = new Date('2026-11-23T12:00:00Z');
const seen: SeenRoom = { digest: 'd1', ownerUid: 'u1', members: 2, messages: 7, lastMessageTime: '' };
const ready = {
  type: 'Ready',
  status: 'True',
  reason: 'Applied',
  message: '',
  observedGeneration: 1,
  lastTransitionTime: '',
} as const;

function room(change: { metadata?: object; spec?: object; status?: object } = {}): ChatRoom {
  return {
    metadata: {
      name: 'general',
      namespace: 'default',
      uid: 'u1',
      generation: 1,
      finalizers: [ROOM_FINALIZER],
      ...change.metadata,
    },
    spec: { displayName: 'General', ...change.spec },
    status: { roomId: 'general', digest: 'd1', observedGeneration: 1, conditions: [ready], ...change.status },
  };
}
const world = (change: Partial<Observed> = {}): Observed => ({ chat: { room: seen }, lookUpAgain: false, ...change });
const deleted = { deletionTimestamp: '2026-11-23T12:00:00Z' };
const other = room({ metadata: { name: 'older', uid: 'u0' } });

test.each<[string, ChatRoom, Observed, object[]]>([
  ['one that is as it should be', room(), world(), [{ do: 'report' }]],
  [
    'a new one',
    room({ metadata: { finalizers: [] }, status: { digest: undefined } }),
    world({ chat: { room: undefined } }),
    [{ do: 'hold' }, { do: 'apply', because: 'new' }],
  ],
  [
    'a new one for a room that nobody has',
    room({ status: { digest: undefined } }),
    world({ chat: { room: { ...seen, ownerUid: '' } } }),
    [{ do: 'apply', because: 'adopted' }],
  ],
  ['one that was edited', room({ metadata: { generation: 2 } }), world(), [{ do: 'apply', because: 'changed' }]],
  [
    'another digest',
    room(),
    world({ chat: { room: { ...seen, digest: 'd2' } } }),
    [{ do: 'apply', because: 'drifted' }],
  ],
  ['a room that is gone', room(), world({ chat: { room: undefined } }), [{ do: 'apply', because: 'drifted' }]],
  [
    'names that were unknown',
    room({ spec: { members: ['alice'] } }),
    world({ lookUpAgain: true }),
    [{ do: 'apply', because: 'users' }],
  ],
  [
    'a drift of a room with names that were unknown',
    room({ spec: { members: ['alice'] } }),
    world({ chat: { room: { ...seen, digest: 'd2' } }, lookUpAgain: true }),
    [{ do: 'apply', because: 'drifted' }],
  ],
  ['one that lost its finalizer', room({ metadata: { finalizers: [] } }), world(), [{ do: 'hold' }, { do: 'report' }]],
  ['nothing to do before chat has told all', room(), world({ chat: 'starting' }), []],
  [
    'a new one waits until chat has told all: it may be there already',
    room({ metadata: { finalizers: [] }, status: { digest: undefined } }),
    world({ chat: 'starting' }),
    [],
  ],
  ['nothing to do while chat is away', room(), world({ chat: 'away' }), [{ do: 'sayAway' }]],
  [
    'an edit while chat is away is tried all the same',
    room({ metadata: { generation: 2 } }),
    world({ chat: 'away' }),
    [{ do: 'apply', because: 'changed' }],
  ],
  [
    'a deletion with Retain',
    room({ metadata: deleted }),
    world(),
    [{ do: 'giveBack', keepHistory: true }, { do: 'release' }],
  ],
  [
    'a deletion with Delete',
    room({ metadata: deleted, spec: { deletionPolicy: 'Delete' } }),
    world(),
    [{ do: 'giveBack', keepHistory: false }, { do: 'release' }],
  ],
  ['a deletion that another is waited for', room({ metadata: { ...deleted, finalizers: ['x/y'] } }), world(), []],
  [
    'a deletion of one whose room is another’s',
    room({ metadata: deleted }),
    world({ chat: { room: { ...seen, ownerUid: 'u0' } } }),
    [{ do: 'release' }],
  ],
  [
    'a deletion of one that was never applied',
    room({ metadata: deleted, status: { digest: undefined } }),
    world({ chat: { room: undefined } }),
    [{ do: 'release' }],
  ],
  [
    'a deletion of one that may have been applied, by a leader that was killed before it could say so',
    room({ metadata: deleted, spec: { deletionPolicy: 'Delete' }, status: { digest: undefined } }),
    world({ chat: 'away' }),
    [{ do: 'giveBack', keepHistory: false }, { do: 'release' }],
  ],
  [
    'a new one while chat is away is not held, so that it can be deleted',
    room({ metadata: { finalizers: [] }, status: { digest: undefined } }),
    world({ chat: 'away' }),
    [{ do: 'sayAway' }],
  ],
])('%s', (_, resource, observed, expected) => {
  expect(plan(resource, observed)).toEqual(expected);
});

test('who lost the claim gives back what he has, and says whose it is', () => {
  const lost = world({ winner: other });
  expect(plan(room(), lost).map((action) => action.do)).toEqual(['giveBack', 'refuse']);
  expect(plan(room(), { ...lost, chat: { room: { ...seen, ownerUid: 'u0' } } })).toMatchObject([
    { do: 'refuse', reason: 'RoomIdTaken', message: 'the room belongs to the older ChatRoom default/older' },
  ]);
});

test('a spec with a value that this operator does not know changes nothing in chat', () => {
  const strange = room({ metadata: { generation: 2 }, spec: { visibility: 'by-invitation' } });
  expect(plan(strange, world())).toMatchObject([{ do: 'refuse', reason: 'InvalidSpec' }]);
});

test('the older of two has the room, whichever order they come in', () => {
  const claim = (uid: string, creationTimestamp: string) => room({ metadata: { uid, creationTimestamp } });
  const claims = [
    claim('b', '2026-01-02T00:00:00Z'),
    claim('c', '2026-01-01T00:00:00Z'),
    claim('a', '2026-01-01T00:00:00Z'),
  ];
  fc.assert(
    fc.property(fc.shuffledSubarray(claims, { minLength: 1 }), (some) => {
      const least = [...some].sort((x, y) =>
        `${x.metadata.creationTimestamp} ${x.metadata.uid}` < `${y.metadata.creationTimestamp} ${y.metadata.uid}`
          ? -1
          : 1,
      )[0];
      expect(winnerOf(some)).toBe(least);
    }),
  );
});

const anyRoom = fc
  .record({
    generation: fc.integer({ min: 1, max: 3 }),
    finalizers: fc.subarray([ROOM_FINALIZER, 'other.dev/x']),
    gone: fc.boolean(),
    digest: fc.constantFrom(undefined, 'd1', 'd2'),
    observedGeneration: fc.constantFrom(undefined, 1, 2),
    deletionPolicy: fc.constantFrom('Retain', 'Delete'),
  })
  .map(({ generation, finalizers, gone, digest, observedGeneration, deletionPolicy }) =>
    room({
      metadata: { generation, finalizers, ...(gone ? deleted : {}) },
      spec: { deletionPolicy },
      status: { digest, observedGeneration },
    }),
  );
const anyWorld: fc.Arbitrary<Observed> = fc.record({
  chat: fc.constantFrom<Observed['chat']>(
    'starting',
    'away',
    { room: undefined },
    { room: seen },
    { room: { ...seen, ownerUid: 'u0' } },
  ),
  lookUpAgain: fc.boolean(),
});

test('nothing is made without the finalizer, and history goes only with a deletion that asks for it', () => {
  fc.assert(
    fc.property(anyRoom, anyWorld, (resource, observed) => {
      const actions = plan(resource, observed);
      const held = resource.metadata.finalizers?.includes(ROOM_FINALIZER);
      const apply = actions.findIndex((action) => action.do === 'apply');
      if (apply >= 0) {
        expect(resource.metadata.deletionTimestamp).toBeUndefined();
        expect(held || actions[0]?.do === 'hold').toBe(true);
      }
      for (const action of actions) {
        if (action.do !== 'giveBack' || action.keepHistory) continue;
        expect(resource.metadata.deletionTimestamp).toBeDefined();
        expect(resource.spec.deletionPolicy).toBe('Delete');
      }
      if (actions.some((action) => action.do === 'release')) expect(actions.at(-1)?.do).toBe('release');
    }),
  );
});

const applied: Outcome = {
  roomId: 'general',
  observed: true,
  digest: 'd1',
  seen,
  users: [],
  ready: { status: 'True', reason: 'Applied', message: '' },
};

test('the same outcome again is the same status', () => {
  const status = statusAfter(room({ status: {} }), applied, now);
  const again = statusAfter({ ...room(), status }, { ...applied }, new Date(now.getTime() + 60_000));
  expect(again).toEqual(status);
  expect(plan({ ...room(), status }, world())).toEqual([{ do: 'report' }]);
});

test('a drift is shown for five minutes, and then no more', () => {
  const before = statusAfter(room({ status: {} }), applied, now);
  const drifted = statusAfter({ ...room(), status: before }, { ...applied, drift: 'changed: topic' }, now);
  const shown = (status: typeof drifted) => status.conditions?.find(({ type }) => type === 'Drifted');
  expect(shown(drifted)).toMatchObject({ status: 'True', reason: 'PutRight', message: 'changed: topic' });
  const waitMs = changesInMs(drifted, now)!;
  expect(waitMs).toBeGreaterThan(DRIFT_SHOWN_MS);
  const report: Outcome = { roomId: 'general', observed: false, seen, ready: applied.ready };
  expect(shown(statusAfter({ ...room(), status: drifted }, report, new Date(now.getTime() + 60_000)))).toEqual(
    shown(drifted),
  );
  const after = statusAfter({ ...room(), status: drifted }, report, new Date(now.getTime() + waitMs));
  expect(shown(after)).toMatchObject({ status: 'False', reason: 'InSync' });
  expect(changesInMs(after, now)).toBeUndefined();
});

test('a drift that comes again is shown for five minutes more', () => {
  const at = (ms: number) => new Date(now.getTime() + ms);
  const drifted = (status: object, ms: number) =>
    statusAfter({ ...room(), status }, { ...applied, drift: 'changed: topic' }, at(ms));
  const first = drifted({}, 0);
  const again = drifted(first, DRIFT_SHOWN_MS - 1_000);
  const shown = again.conditions?.find(({ type }) => type === 'Drifted');
  expect(again).toEqual({ ...first, lastDriftTime: '2026-11-23T12:04:59Z' });
  const report: Outcome = { roomId: 'general', observed: false, seen, ready: applied.ready };
  expect(statusAfter({ ...room(), status: again }, report, at(DRIFT_SHOWN_MS + 1_000)).conditions).toContainEqual(
    shown,
  );
  expect(changesInMs(again, at(DRIFT_SHOWN_MS + 1_000))).toBe(DRIFT_SHOWN_MS - 1_000);
  // An operator of before did not write down when.
  const { lastDriftTime, ...old } = first;
  expect(changesInMs(old, now)).toBe(changesInMs(first, now));
});

test('numbers that move are told from what matters', () => {
  const status = statusAfter(room({ status: {} }), applied, now);
  expect(onlyNumbersDiffer(status, { ...status, members: 9, messages: 99, lastMessageTime: 'x' })).toBe(true);
  expect(onlyNumbersDiffer(status, Object.fromEntries(Object.entries(status).reverse()))).toBe(true);
  expect(onlyNumbersDiffer(status, { ...status, digest: 'd2' })).toBe(false);
});

test('a time that is none is left out, not passed on to be refused', () => {
  const status = statusAfter(
    room({ status: {} }),
    { ...applied, seen: { ...seen, lastMessageTime: 'yesterday' } },
    now,
  );
  expect(status).not.toHaveProperty('lastMessageTime');
});

test('what cannot be reached fails in other words each time, and that is nothing new to say', () => {
  const at = (time: string) =>
    unreachable(new AppError('UNAVAILABLE', `connect ECONNREFUSED 10.0.0.1:50051 (2026-11-23T${time}Z)`));
  const first = statusAfter(room(), { roomId: 'general', ready: at('12:00:00.001'), observed: false }, now);
  const again = { roomId: 'general', ready: at('12:00:09.999'), observed: false };
  expect(statusAfter({ ...room(), status: first }, again, new Date(now.getTime() + 9_998))).toEqual(first);
  expect(first.conditions?.[0]).toMatchObject({
    reason: 'ChatUnavailable',
    message: expect.stringMatching(/10\.0\.0\.1/),
  });
});

test('chat that does not take the operator for a service is not chat that is away', () => {
  expect(unreachable(new AppError('PERMISSION_DENIED', 'no'))).toMatchObject({ status: 'False', reason: 'NotAllowed' });
  expect(unreachable(undefined)).toMatchObject({ status: 'Unknown', reason: 'ChatUnavailable' });
});
