/** A long run: everything as the chart runs it, steady load, a fault every so often, and a verdict at the end. */
import type { Seen } from '@parley/chat/testing/history';
import { checkUsers } from './accounts.ts';
import { checkBooks } from './buyers.ts';
import { startDeployment } from './deployment.ts';
import { type Fault, faultsOf } from './faults.ts';
import { type Load, ordersPerSecond, prepareLoad, usersPerSecond } from './load.ts';
import { growthOf, mostGrowth, type Samples, sampleMemory } from './memory.ts';
import { becomes, patiently, pause, within } from './patience.ts';
import { memoryLine } from './report.ts';
import { Tally } from './tally.ts';
import { named } from './texts.ts';

export interface SoakOptions {
  minutes: number;
  /** A fault every so many seconds. */
  everySeconds: number;
  messagesPerSecond: number;
}

export interface SoakReport {
  seconds: number;
  faults: string[];
  sends: number;
  acknowledged: number;
  deliveries: number;
  samples: Samples;
  tally: Tally;
  /** All that is wrong, a line each. */
  violations: string[];
}

const caughtUpWithinMs = 90_000;
/** Some hundred kilobytes. */
const logPage = 200;
const faultWithinMs = 150_000;
/** Less than this part of what was planned proves nothing. */
const leastPart = 0.5;

/** @param stop ends it early; what there is by then is judged @param say is told how it goes, a line at a time */
export async function runSoak(
  options: SoakOptions,
  stop: AbortSignal,
  say: (line: string) => void,
): Promise<SoakReport> {
  const { minutes, everySeconds, messagesPerSecond } = options;
  const tally = new Tally(say);
  await using deployment = await startDeployment(tally);
  say(`${deployment.members.length} processes run`);
  await using stack = new AsyncDisposableStack();
  const load = await prepareLoad(deployment, tally, stack);
  say(`${load.listeners.length} listeners listen`);

  const samples: Samples = new Map();
  const over = AbortSignal.any([stop, AbortSignal.timeout(minutes * 60_000)]);
  const sampled = new AbortController();
  const startedAt = performance.now();
  const seconds = () => (performance.now() - startedAt) / 1000;
  const watching = sampleMemory(
    deployment.members.filter(({ isKept }) => isKept),
    samples,
    sampled.signal,
  );
  const loading = load.run(messagesPerSecond, over);
  const faults: string[] = [];
  for await (const fault of every(everySeconds, minutes * 60, faultsOf(deployment), over)) {
    const began = seconds();
    await within(faultWithinMs, fault.name, fault.inject()).catch((error) => tally.wrong(error.message));
    faults.push(fault.name);
    const took = `${fault.name} (${(seconds() - began).toFixed(1)} s)`;
    const { sends, acknowledged, deliveries } = load.history;
    say(
      `${(began / 60).toFixed(1).padStart(5)} min  ${took.padEnd(28)} ${acknowledged} acknowledged, ${sends - acknowledged} under way, ${deliveries} delivered, ` +
        `${tally.count('sends tried again')} retries, errors: ${tally.errors}; ${memoryLine(samples)}`,
    );
  }
  const { orders, users } = await loading;
  const loadedSeconds = Math.min(seconds(), minutes * 60);
  sampled.abort();
  await watching;

  say('the load has ended; looking for what is missing');
  await caughtUp(load, tally);
  const check = (what: string, checked: Promise<void>) =>
    checked.catch((error) => tally.wrong(`${what} could not be looked at: ${error.message}`));
  await check('orders', checkBooks(deployment.postgres.url, orders, tally));
  await check('users', checkUsers(deployment.postgres.url, users, tally));
  for (const room of load.rooms) await check(`the log of ${room}`, readLog(load, room));
  const { sends, acknowledged, deliveries } = load.history;
  if (acknowledged !== sends) tally.wrong(`${sends - acknowledged} of ${sends} messages were never acknowledged`);
  const least = {
    messages: [acknowledged, messagesPerSecond * loadedSeconds],
    orders: [orders.size, ordersPerSecond * loadedSeconds],
    users: [users.size, usersPerSecond * loadedSeconds],
    visits: [tally.count('visits'), loadedSeconds / 2],
    faults: [faults.length, loadedSeconds / everySeconds - 1],
  };
  for (const [what, [is, planned]] of Object.entries(least) as [string, [number, number]][])
    if (is < planned * leastPart) tally.wrong(`too little traffic: ${is} ${what} of ${Math.round(planned)}`);
  for (const [name, all] of samples) {
    const growth = growthOf(all);
    if (growth && growth.ratio > mostGrowth) tally.wrong(`${name}'s memory is ${growth.ratio.toFixed(2)} × minute 5`);
  }
  const readers = new Map(load.listeners.map(({ name, room }) => [name, room]));
  const violations = [...load.history.violations(readers), ...tally.complaints];
  return { seconds: loadedSeconds, faults, sends, acknowledged, deliveries, samples, tally, violations };
}

/** The faults in turn, at their times, as long as there is time for one to be followed by load. */
async function* every(seconds: number, total: number, faults: Fault[], over: AbortSignal): AsyncGenerator<Fault> {
  const startedAt = performance.now();
  for (let i = 0; (i + 1) * seconds <= total - seconds / 2; i++) {
    await pause(Math.max(0, (i + 1) * seconds * 1000 - (performance.now() - startedAt)), over);
    if (over.aborted) return;
    yield faults[i % faults.length] as Fault;
  }
  while (!over.aborted) await pause(1000, over);
}

async function caughtUp({ history, listeners }: Load, tally: Tally): Promise<void> {
  const missing = () => listeners.filter(({ name, room }) => !history.hasAll(name, room)).map(({ name }) => name);
  if (!(await becomes(() => missing().length === 0, caughtUpWithinMs)))
    tally.wrong(`${missing().join(', ')} have not got everything within ${caughtUpWithinMs / 1000} s`);
}

/** All of a room's log, into the history. */
async function readLog({ chat, history }: Load, room: string): Promise<void> {
  const list = (request: { after?: string; limit?: number }) =>
    patiently(caughtUpWithinMs, () => chat.listMessages({ room_id: room, ...request }));
  const entries: Seen[] = [];
  // A cursor of sequence 0 of this epoch is before everything.
  const { cursor } = await list({});
  for (let after = `${cursor.split('-')[0]}-0`; ; ) {
    const page = await list({ after, limit: logPage });
    for (const { id, epoch, sequence, content } of page.messages)
      entries.push({ room, id, epoch, sequence: Number(sequence), content: named(content) });
    if (page.messages.length === 0 || page.cursor === after) break;
    after = page.cursor;
  }
  history.log(room, entries);
}
