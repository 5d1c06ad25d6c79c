import { afterEach, beforeEach, expect, test } from 'vitest';
import { silent } from '../runtime/index.ts';
import { ChatServer } from '../testing/chat-server.ts';
import { until } from '../testing/until.ts';
import { RoomMirror } from './room-mirror.ts';

let chat: ChatServer;
let stop: AbortController;
let running: Promise<void>;

beforeEach(async () => {
  chat = await ChatServer.listen();
  stop = new AbortController();
});
afterEach(async () => {
  stop.abort();
  await running;
  await chat[Symbol.asyncDispose]();
});

function follow(awayAfterMs: number) {
  const told: string[] = [];
  const mirror = new RoomMirror({
    admin: chat.channel.client('chat.RoomAdminService'),
    onRoom: (roomId) => told.push(roomId),
    onAll: (away) => told.push(away ? 'away' : 'back'),
    awayAfterMs,
    log: silent,
  });
  running = mirror.run(stop.signal);
  return { mirror, told };
}

test('that chat is away is said once, however often the stream is tried meanwhile, and that it is back', async () => {
  // Longer than any wait between two tries.
  const { mirror, told } = follow(4_000);
  await until('the first list', () => told.includes('back'));
  expect(mirror.observe('general')).toEqual({ room: undefined });
  await chat.stop();
  await until('away', () => told.includes('away'));
  expect(mirror.observe('general')).toBe('away');
  chat.make('general');
  await chat.start();
  await until('back', () => told.at(-1) === 'back');
  expect(told).toEqual(['back', 'away', 'general', 'back']);
  expect(mirror.observe('general')).toMatchObject({ room: { ownerUid: '' } });
});

test('an outage that is shorter than that is said of nobody but the rooms that changed', async () => {
  const { told } = follow(600_000);
  await until('the first list', () => told.includes('back'));
  await chat.stop();
  chat.make('changed');
  await chat.start();
  await until('the change', () => told.includes('changed'));
  expect(told).toEqual(['back', 'changed']);
});
