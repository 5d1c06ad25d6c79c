import { expect, test } from 'vitest';
import { History, type Seen } from './history.ts';

const message = (content: string, sequence: number, more: Partial<Seen> = {}): Seen => ({
  room: 'r',
  id: `id-${content}`,
  epoch: 'e',
  sequence,
  content,
  ...more,
});

function run(of: { log?: Seen[]; seen?: Seen[]; acknowledged?: Seen[] }): string[] {
  const history = new History();
  history.reader('ann');
  for (const content of ['a', 'b']) history.sent('r', content);
  const log = of.log ?? [message('a', 1), message('b', 2)];
  for (const one of of.acknowledged ?? log) history.acknowledge(one.content, one);
  for (const one of of.seen ?? log) history.delivered('ann', one);
  history.log('r', log);
  return history.violations(new Map([['ann', 'r']]));
}

test('a history in which everything went well has no violations, nor has one whose unacknowledged send is nowhere', () => {
  expect(run({})).toEqual([]);
  expect(run({ log: [message('a', 1)] })).toEqual([]);
});

test('a lost, a repeated, a reordered and a misplaced message are each found', () => {
  expect(run({ log: [message('a', 1)], acknowledged: [message('b', 2)] })).toEqual([
    'b was acknowledged and is not in the log',
  ]);
  expect(run({ seen: [message('a', 1)] })).toEqual(['ann never saw b']);
  expect(run({ seen: [message('a', 1), message('a', 1), message('b', 2)] })).toContain('ann saw a twice');
  expect(run({ seen: [message('b', 2), message('a', 1)] })).toEqual(['ann saw 1 after 2']);
  expect(run({ seen: [message('a', 2), message('b', 3)] })).not.toEqual([]);
  expect(run({ log: [message('a', 1), message('b', 2), message('a', 3, { id: 'x' })], acknowledged: [] })).toContain(
    'a is in the log 2 times',
  );
});

test('a log that has lost its tail is no violation where that may be and every reader was told', () => {
  const history = new History();
  const readers = new Map([
    ['ann', 'r'],
    ['ben', 'r'],
  ]);
  for (const reader of readers.keys()) history.reader(reader);
  const [kept, lost] = [message('a', 1), message('b', 2)];
  const again = message('a', 1, { epoch: 'f' });
  for (const one of [kept, lost]) {
    history.sent('r', one.content);
    history.acknowledge(one.content, one);
    history.delivered('ann', one);
  }
  history.historyLost('ann', 'HISTORY_LOST_EPOCH_CHANGED');
  history.delivered('ann', again);
  history.delivered('ben', again);
  history.log('r', [again]);
  expect(history.violations(readers)).toContain('ann was told HISTORY_LOST_EPOCH_CHANGED');
  expect(history.violations(readers, true)).toEqual(['ben was not told what r has lost']);
  history.historyLost('ben', 'HISTORY_LOST_EPOCH_CHANGED');
  expect(history.violations(readers, true)).toEqual([]);
});

test('the longest gap is from one message to the next, and from and to the ends of the time that counts', () => {
  const history = new History();
  history.reader('ann');
  const from = performance.now();
  history.delivered('ann', message('a', 1));
  expect(history.longestGapMs(from - 2000, performance.now() + 1000, 0.99)).toBeGreaterThanOrEqual(2000);
  expect(history.longestGapMs(from - 2000, performance.now() + 1000, 0.99)).toBeLessThan(3000);
});
