/** A run under faults: senders who try again, readers who resume, processes and the store killed meanwhile; and its history. */
import type { AppError, ReadableCall } from '@parley/kit';
import type { SubscribeResponse__Output } from '@parley/proto/chat/SubscribeResponse';
import type { Fleet } from './fleet.ts';
import { History, type Seen } from './history.ts';

export interface StormSettings {
  rooms: number;
  /** Readers, of all rooms together. */
  subscribers: number;
  /** Messages, of all rooms together; more when the faults take longer. */
  messages: number;
  senders: number;
  /** How many times a process is killed, and how many times ended by SIGTERM. */
  kills: number;
  terminations: number;
  /** What is done to the store, each once. */
  storeFaults: (() => Promise<void>)[];
  /** Whether a store that fails over may lose what it had acknowledged, if every reader is told. */
  mayLose?: boolean;
  /** How long a sender waits after each message; 0 when absent. */
  betweenSendsMs?: number;
  /** Every so many readers one pauses now and then. */
  slowEvery: number;
}

export interface StormReport {
  sends: number;
  acknowledged: number;
  deliveries: number;
  retries: number;
  resumes: number;
  /** How long each reader had to wait for the next message, at the most, while there was sending: the 99th percentile. */
  longestGapMs: number;
  violations: string[];
}

const giveUpMs = 240_000;
const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

export async function runStorm(fleet: Fleet, settings: StormSettings): Promise<StormReport> {
  const history = new History();
  const stop = new AbortController();
  using _stopping = { [Symbol.dispose]: () => stop.abort() };
  const readers = new Map<string, string>();
  const counts = { retries: 0, resumes: 0 };
  const roomOf = (i: number) => `storm-${i % settings.rooms}`;
  const opened: Promise<void>[] = [];
  const reading: Promise<void>[] = [];
  for (let i = 0; i < settings.subscribers; i++) {
    const name = `reader-${i}`;
    readers.set(name, roomOf(i));
    history.reader(name);
    const { promise, resolve } = Promise.withResolvers<void>();
    opened.push(promise);
    const isSlow = i % settings.slowEvery === settings.slowEvery - 1;
    reading.push(readOn(fleet, history, name, roomOf(i), isSlow, stop.signal, resolve, counts));
  }
  await Promise.all(opened);

  let next = 0;
  // Fewer than a room keeps, or the oldest would rightly be missing in the end.
  const most = settings.rooms * 950;
  let faulty = true;
  const startedAt = performance.now();
  const said = Promise.all(
    Array.from({ length: settings.senders }, async (_, sender) => {
      for (let i = next++; i < settings.messages || (faulty && i < most); i = next++) {
        if (stop.signal.aborted) return;
        await say(fleet, history, `sender-${sender}`, roomOf(i), `message ${i}`, counts);
        if (settings.betweenSendsMs) await pause(settings.betweenSendsMs);
      }
    }),
  );
  const over = faults(fleet, settings, () => next / settings.messages).finally(() => {
    faulty = false;
  });
  await Promise.all([said, over]);
  const longestGapMs = history.longestGapMs(startedAt, performance.now(), 0.99);

  const end = Date.now() + giveUpMs;
  for (const [reader, room] of readers) {
    while (!history.hasAll(reader, room) && Date.now() < end) await pause(50);
  }
  stop.abort();
  await Promise.all(reading);
  for (let i = 0; i < settings.rooms; i++) history.log(roomOf(i), await readLog(fleet, roomOf(i)));
  const { sends, acknowledged, deliveries } = history;
  return {
    sends,
    acknowledged,
    deliveries,
    ...counts,
    longestGapMs,
    violations: history.violations(readers, settings.mayLose),
  };
}

/** Kills in random order, spread over the sending. */
async function faults(fleet: Fleet, settings: StormSettings, progress: () => number): Promise<void> {
  const planned = [
    ...Array.from({ length: settings.kills }, () => () => fleet.replace('SIGKILL')),
    ...Array.from({ length: settings.terminations }, () => () => fleet.replace('SIGTERM')),
    ...settings.storeFaults,
  ].sort(() => Math.random() - 0.5);
  for (const [i, fault] of planned.entries()) {
    while (progress() < (i + 1) / (planned.length + 1)) await pause(10);
    await fault();
  }
}

/** Says something until it is acknowledged: with one key it is said once. */
export async function say(
  fleet: Fleet,
  history: History,
  sender: string,
  room: string,
  content: string,
  counts: { retries: number },
) {
  history.sent(room, content);
  const message = { room_id: room, user_id: sender, username: sender, content, idempotency_key: content };
  for (const end = Date.now() + giveUpMs; Date.now() < end; counts.retries++) {
    try {
      const answer = await fleet.any().chat.sendMessage(message, { timeoutMs: 5000 });
      history.acknowledge(content, { id: answer.message_id, epoch: answer.epoch, sequence: Number(answer.sequence) });
      return;
    } catch (error) {
      if ((error as AppError).code === 'INVALID_ARGUMENT') throw error;
      await pause(20 + Math.random() * 80);
    }
  }
}

/** Reads a room until the signal, and resumes on another process whenever its stream ends. */
export async function readOn(
  fleet: Fleet,
  history: History,
  name: string,
  room: string,
  isSlow: boolean,
  signal: AbortSignal,
  opened: () => void,
  counts: { resumes: number },
): Promise<void> {
  let after = '';
  while (!signal.aborted) {
    const request = { room_id: room, user_id: name, username: name, after };
    const call: ReadableCall<SubscribeResponse__Output> = fleet.any().chat.subscribe(request, { signal });
    // A stream that was paused when it broke still hands on what it has: that is nothing that we have read.
    let over = false;
    await call
      .each((frame) => {
        if (over) return;
        if (frame.opened) {
          const { history_lost } = frame.opened;
          if (history_lost !== 'HISTORY_LOST_UNSPECIFIED') history.historyLost(name, history_lost);
          opened();
        }
        for (const message of frame.messages) {
          after = `${message.epoch}-${message.sequence}`;
          const { id, epoch, content } = message;
          history.delivered(name, { room, id, epoch, content, sequence: Number(message.sequence) });
        }
        if (isSlow && frame.messages.length > 0 && Math.random() < 0.05) {
          call.stream.pause();
          setTimeout(() => call.stream.resume(), 500);
        }
      })
      .catch(() => undefined);
    over = true;
    if (signal.aborted) return;
    counts.resumes++;
    await pause(20 + Math.random() * 80);
  }
}

/** All that a room's log keeps. */
export async function readLog(fleet: Fleet, room: string): Promise<Seen[]> {
  const entries: Seen[] = [];
  // A cursor of sequence 0 of this epoch is before everything: the epoch is in any message.
  const newest = await fleet.any().chat.listMessages({ room_id: room });
  const epoch = newest.cursor.split('-')[0] as string;
  for (let after = `${epoch}-0`; ; ) {
    const page = await fleet.any().chat.listMessages({ room_id: room, after, limit: 1000 });
    entries.push(
      ...page.messages.map((m) => ({
        room,
        id: m.id,
        epoch: m.epoch,
        sequence: Number(m.sequence),
        content: m.content,
      })),
    );
    if (page.messages.length === 0 || page.cursor === after) return entries;
    after = page.cursor;
  }
}
