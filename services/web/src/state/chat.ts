/** The live part of the page: the connection, the rooms list and what is open. */
import { Connection, createApi, cursorOf, type RoomState, sequenceOf } from '@parley/client';
import { everyPage } from '@parley/client/cli/every-page';
import { isNameTaken, problemText } from './problem-text.ts';
import { forget, origin, session } from './sign-in.ts';
import { appState, change, type Me, say } from './store.ts';
import { firstUnread } from './unread.ts';
import { takeUnsent } from './unsent.ts';

let connection: Connection | undefined;
let timers: ReturnType<typeof setInterval>[] = [];
/** Live unread marks for this many rooms; the marks of more come with the list. */
const watchedRooms = 24;
const listEveryMs = 15_000;
const olderPage = 100;

export const api = createApi(origin, async () =>
  appState().me?.guest === false ? (await session.credential()).token : '',
);

export function begin(me: Me): void {
  change({ phase: 'in', me, notice: undefined, wrongName: undefined });
  connection = new Connection({
    url: origin,
    credential: me.guest ? async () => ({ token: '' }) : (refused) => session.credential(refused),
    ...(me.guest ? { guest: me } : {}),
    onState: (link) => {
      change({ link });
      if (link.status === 'signed-out') end(me.guest ? 'This server wants you to sign in.' : link.reason);
      if (link.status === 'online') void readRooms();
    },
    onRoom: (room, event) => {
      // No room will let him in, and trying again would not help.
      if (me.guest && event.kind === 'refused' && isNameTaken(event.error)) {
        end();
        change({ wrongName: 'That name belongs to somebody with an account: choose another.' });
        return;
      }
      const open = new Map(appState().open);
      open.set(room.roomId, room);
      change({ open });
      if (event.kind === 'opened') {
        void readHere(room.roomId);
        if (!appState().rooms.some(({ id }) => id === room.roomId)) void readRooms();
      }
      if (event.kind === 'messages') {
        nameStrangers(room);
        markWhatIsNew(room);
      }
    },
  });
  connection.start();
  for (const { roomId, ...message } of takeUnsent(me.userId)) connection.restore(roomId, message);
  const { route } = appState();
  if (route.page === 'room') enter(route.roomId);
  timers = [
    setInterval(() => document.visibilityState === 'visible' && void readRooms(), listEveryMs),
    setInterval(forgetTypists, 1_000),
  ];
}

/** Goes offline; with a notice, because the server said so. */
export function end(notice?: string): void {
  for (const timer of timers.splice(0)) clearInterval(timer);
  connection?.stop();
  connection = undefined;
  markedRead.clear();
  unreadAtOpening.clear();
  forget(notice);
}

export function wake(): void {
  connection?.wake();
}

/** Opens a room: one stays in it until one leaves. */
export function enter(roomId: string): void {
  if (!connection) return;
  unreadAtOpening.set(roomId, connection.room(roomId).unread);
  connection.join(roomId);
  // Who is in the room already is sent nothing by joining: what he has not read is here.
  const room = connection.room(roomId);
  if (room.messages.length > 0) markWhatIsNew(room);
}

const unreadAtOpening = new Map<string, number>();

/** Remembers where the unread messages began when the room was opened, for the line above them. */
function markWhatIsNew(room: RoomState): void {
  const count = unreadAtOpening.get(room.roomId);
  if (count === undefined) return;
  unreadAtOpening.delete(room.roomId);
  const newFrom = new Map(appState().newFrom);
  const first = firstUnread(room, count);
  if (first === undefined) newFrom.delete(room.roomId);
  else newFrom.set(room.roomId, first);
  change({ newFrom });
}

export function leaveRoom(roomId: string): void {
  connection?.leave(roomId);
  const open = new Map(appState().open);
  open.delete(roomId);
  change({ open });
}

export function send(roomId: string, content: string): void {
  connection?.send(roomId, content);
}

export function retry(roomId: string, key: string): void {
  connection?.retry(roomId, key);
}

export function dismiss(roomId: string, key: string): void {
  connection?.dismiss(roomId, key);
}

export function typing(roomId: string): void {
  connection?.typing(roomId);
}

const markedRead = new Map<string, string>();

/** What is on screen has been read. Told when it is news. */
export function markRead(roomId: string): void {
  const room = connection?.room(roomId);
  if (room?.phase !== 'open') return;
  const cursor = cursorOf(room);
  if (markedRead.get(roomId) === cursor && room.unread === 0) return;
  markedRead.set(roomId, cursor);
  connection?.markRead(roomId);
}

/** Reads the page before the first message that is here. */
export async function readOlder(roomId: string): Promise<void> {
  const room = connection?.room(roomId);
  const first = room?.messages[0];
  if (!room || !first || room.fromStart) return;
  const from = Math.max(0, sequenceOf(first) - 1 - olderPage);
  try {
    const { messages } = await api.rooms.messages(roomId, `${room.epoch}-${from}`, olderPage);
    const older = messages.filter((message) => sequenceOf(message) < sequenceOf(first));
    connection?.put(roomId, { kind: 'older', messages: older, fromStart: from === 0 || older.length === 0 });
  } catch (error) {
    say(problemText(error), 'bad');
  }
}

export async function readRooms(): Promise<void> {
  try {
    const pages = await everyPage((token) => api.rooms.list(token));
    const rooms = pages.flatMap((page) => page.rooms);
    change({ rooms, roomsRead: true, roomsProblem: undefined });
    for (const { id, cursor, unread } of rooms.slice(0, watchedRooms)) {
      const { open, me, route } = appState();
      if (!open.has(id)) connection?.join(id, { observe: true, after: cursor });
      const here = route.page === 'room' && route.roomId === id;
      if (!me?.guest && !here) connection?.put(id, { kind: 'unread', count: Number(unread) });
    }
  } catch (error) {
    change({ roomsProblem: problemText(error) });
  }
}

/** Reads the room that is open by itself: who is there, and its name, which the list may not have yet. */
async function readHere(roomId: string): Promise<void> {
  const { route } = appState();
  if (route.page !== 'room' || route.roomId !== roomId) return;
  try {
    const { room, user_ids } = await api.rooms.get(roomId);
    change({ here: room });
    connection?.put(roomId, { kind: 'present', userIds: user_ids, cursor: room.cursor });
    const now = connection?.room(roomId);
    if (now) nameStrangers(now);
  } catch {
    // The list has the name as well; who is here is a courtesy, and comings and goings still arrive.
  }
}

const asked = new Set<string>();

/** Looks up who is here without having said anything. */
function nameStrangers(room: RoomState): void {
  const strangers = [...room.members].filter(([id, name]) => name === '' && /^\d+$/.test(id) && !asked.has(id));
  for (const [id] of strangers.slice(0, 50)) {
    asked.add(id);
    api.users.get(id).then(
      ({ username }) => connection?.put(room.roomId, { kind: 'named', names: new Map([[id, username]]) }),
      () => {},
    );
  }
}

function forgetTypists(): void {
  const now = Date.now();
  for (const { roomId, typing } of appState().open.values())
    if (typing.some(({ until }) => until <= now)) connection?.put(roomId, { kind: 'tick', now });
}
