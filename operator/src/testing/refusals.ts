/** A way in which a value can be wrong. */
export type Wrong =
  | 'missing'
  | 'type'
  | 'fraction'
  | 'below'
  | 'above'
  | 'pattern'
  | 'choice'
  | 'twice'
  | 'contradictory';

/** For each field, and each way in which it can be wrong, a spec that is so; what it does not name is as it should be. */
export type Refusals = Record<string, Partial<Record<Wrong, unknown>>>;

const many = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const limited = (messagesPerMinute: unknown, burst?: unknown) => ({ rateLimit: { messagesPerMinute, burst } });
const kept = (retention: unknown) => ({ retention });

export const chatRoomRefusals: Refusals = {
  spec: { missing: undefined, type: 'General' },
  'spec.roomId': {
    type: { roomId: 5 },
    pattern: { roomId: 'a/b' },
    below: { roomId: '' },
    above: { roomId: 'x'.repeat(129) },
  },
  'spec.displayName': {
    missing: { displayName: undefined },
    type: { displayName: 5 },
    below: { displayName: '' },
    above: { displayName: 'x'.repeat(81) },
    pattern: { displayName: '   ' },
  },
  'spec.topic': { type: { topic: 5 }, above: { topic: 'x'.repeat(501) } },
  'spec.visibility': { type: { visibility: true }, choice: { visibility: 'secret' } },
  'spec.members': {
    type: { members: 'alice' },
    above: { members: many(1001, (i) => `u${i}`) },
    twice: { members: ['alice', 'alice'] },
  },
  'spec.members[]': {
    type: { members: [5] },
    below: { members: [''] },
    above: { members: ['x'.repeat(65)] },
    pattern: { members: ['al ice'] },
  },
  'spec.moderators': {
    type: { moderators: 'alice' },
    above: { moderators: many(101, (i) => `u${i}`) },
    twice: { moderators: ['alice', 'alice'] },
  },
  'spec.moderators[]': {
    type: { moderators: [5] },
    below: { moderators: [''] },
    above: { moderators: ['x'.repeat(65)] },
    pattern: { moderators: ['al ice'] },
  },
  'spec.maxMembers': {
    type: { maxMembers: 'many' },
    fraction: { maxMembers: 1.5 },
    below: { maxMembers: 0 },
    above: { maxMembers: 100_001 },
  },
  'spec.retention': { type: kept('forever') },
  'spec.retention.maxMessages': {
    type: kept({ maxMessages: 'all' }),
    fraction: kept({ maxMessages: 1.5 }),
    below: kept({ maxMessages: 0 }),
    above: kept({ maxMessages: 100_001 }),
  },
  'spec.retention.maxAge': {
    type: kept({ maxAge: 60 }),
    pattern: kept({ maxAge: '3 days' }),
    below: kept({ maxAge: '59s' }),
    above: kept({ maxAge: '87601h' }),
  },
  'spec.historyOnJoin': {
    type: { historyOnJoin: 'all' },
    fraction: { historyOnJoin: 0.5 },
    below: { historyOnJoin: -1 },
    above: { historyOnJoin: 1001 },
    contradictory: { historyOnJoin: 30, retention: { maxMessages: 20 } },
  },
  'spec.rateLimit': { type: { rateLimit: 60 } },
  'spec.rateLimit.messagesPerMinute': {
    missing: { rateLimit: { burst: 5 } },
    type: limited('fast'),
    fraction: limited(0.5),
    below: limited(0),
    above: limited(60_001),
  },
  'spec.rateLimit.burst': {
    type: limited(60, 'big'),
    fraction: limited(60, 1.5),
    below: limited(60, 0),
    above: limited(60, 1001),
  },
  'spec.welcomeMessage': { type: { welcomeMessage: 5 }, above: { welcomeMessage: 'x'.repeat(2001) } },
  'spec.archived': { type: { archived: 'yes' } },
  'spec.deletionPolicy': { type: { deletionPolicy: false }, choice: { deletionPolicy: 'Orphan' } },
};

const weighing = (weight: unknown) => ({ backends: [{ service: 'stable', weight }, { service: 'canary' }] });
const rolling = (rollout: object) => ({ rollout: { backend: 'canary', steps: [{ weight: 10 }], ...rollout } });
const stepping = (step: unknown) => rolling({ steps: [step] });

export const serviceWeightRefusals: Refusals = {
  spec: { missing: undefined, type: 'chat' },
  'spec.service': {
    missing: { service: undefined },
    type: { service: 5 },
    below: { service: '' },
    above: { service: 'x'.repeat(64) },
    pattern: { service: 'Chat' },
    contradictory: { service: 'other' },
  },
  'spec.port': {
    type: { port: 50051 },
    below: { port: '' },
    above: { port: 'x'.repeat(16) },
    pattern: { port: 'Grpc' },
  },
  'spec.backends': {
    missing: { backends: undefined },
    type: { backends: 'stable' },
    below: { backends: [] },
    above: { backends: many(17, (i) => ({ service: `b${i}` })) },
    twice: { backends: [{ service: 'stable' }, { service: 'stable' }] },
    contradictory: { backends: [{ service: 'stable', weight: 0 }] },
  },
  'spec.backends[]': { type: { backends: ['stable'] } },
  'spec.backends[].service': {
    missing: { backends: [{ weight: 1 }] },
    type: { backends: [{ service: 5 }] },
    below: { backends: [{ service: '' }] },
    above: { backends: [{ service: 'x'.repeat(64) }] },
    pattern: { backends: [{ service: 'Bad_Name' }] },
  },
  'spec.backends[].weight': {
    type: weighing('half'),
    fraction: weighing(0.5),
    below: weighing(-1),
    above: weighing(2 ** 31),
  },
  'spec.slowStart': {
    type: { slowStart: 30 },
    pattern: { slowStart: '-1s' },
    // There is none shorter than 0s, but for what is no duration.
    below: { slowStart: '' },
    above: { slowStart: '16m' },
  },
  'spec.rollout': { type: { rollout: 'fast' } },
  'spec.rollout.backend': {
    missing: rolling({ backend: undefined }),
    type: rolling({ backend: 5 }),
    below: rolling({ backend: '' }),
    above: rolling({ backend: 'x'.repeat(64) }),
    pattern: rolling({ backend: 'Bad_Name' }),
    contradictory: rolling({ backend: 'nobody' }),
  },
  'spec.rollout.steps': {
    missing: rolling({ steps: undefined }),
    type: rolling({ steps: 3 }),
    below: rolling({ steps: [] }),
    above: rolling({ steps: many(33, () => ({ weight: 1 })) }),
  },
  'spec.rollout.steps[]': { type: stepping(10) },
  'spec.rollout.steps[].weight': {
    missing: stepping({ pause: '1s' }),
    type: stepping({ weight: 'all' }),
    fraction: stepping({ weight: 0.5 }),
    below: stepping({ weight: -1 }),
    above: stepping({ weight: 101 }),
  },
  'spec.rollout.steps[].pause': {
    type: stepping({ weight: 1, pause: 60 }),
    pattern: stepping({ weight: 1, pause: 'soon' }),
    below: stepping({ weight: 1, pause: '' }),
    above: stepping({ weight: 1, pause: '169h' }),
  },
};
