/** A room in a terminal. */
import { Connection } from '../../connection.ts';
import type { LinkState } from '../../link.ts';
import type { RoomEvent } from '../../room/events.ts';
import { type RoomState, sequenceOf } from '../../room/state.ts';
import type { ChatMessage } from '../../wire.ts';
import { CommandError, exitCodes } from '../exit.ts';
import { harmless, painter } from '../print.ts';
import type { Visit } from '../visit.ts';
import { messageLine } from './lines.ts';
import { openScreen } from './screen.ts';

const help = `/who   who is here
/quit  leave (so does Ctrl D)
/help  this
Anything else is said; // says a line that begins with one /.`;

const lostText = {
  HISTORY_LOST_EPOCH_CHANGED: 'the server lost this room’s history; what is above is only on your screen',
  HISTORY_LOST_TRIMMED: 'some messages between here and there are no longer kept',
};

/**
 * Talks until the input ends.
 *
 * @throws CommandError when the room or the server refused, or a message was not accepted.
 */
export function chat(here: Visit, roomId: string, json: boolean): Promise<void> {
  const paint = painter(here.settings.color && !json);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const over = new AbortController();
  let ending = false;
  let refused = 0;
  let printed = { epoch: '', sequence: 0 };
  let wasOnline = false;
  let saidWhyNot = false;

  const screen = openScreen(typed, () => {
    ending = true;
    finish();
    const left = connection.room(roomId).pending.length;
    if (left > 0 && connection.state.status !== 'online') note(`${left} on the way: Ctrl C gives up`);
  });
  const connection = new Connection({
    url: here.origin,
    credential: here.credential,
    ...(here.guest ? { guest: here.guest } : {}),
    onState: linkChanged,
    onRoom: roomChanged,
  });
  connection.join(roomId);
  connection.start();
  prompt();
  return promise.finally(() => {
    over.abort();
    connection.stop();
    screen.close();
  });

  function typed(line: string): void {
    if (line.trim() === '') return;
    if (/^\/(quit|exit)\b/.test(line)) screen.close();
    else if (/^\/who\b/.test(line)) who();
    else if (/^\/help\b/.test(line)) note(help);
    else if (/^\/(?!\/)/.test(line)) note(`there is no ${line.split(' ')[0]}; /help lists what there is`);
    else connection.send(roomId, line.replace(/^\/\//, '/'));
  }

  function linkChanged(state: LinkState): void {
    if (state.status === 'online') {
      if (wasOnline) note('connected again');
      wasOnline = true;
    } else if (state.status === 'waiting') {
      const seconds = Math.max(1, Math.round((state.until - Date.now()) / 1000));
      // Told once at the beginning of an outage, and then whenever it takes long.
      if (state.attempt === 1 || seconds > 3) note(`${state.reason}: trying again in ${seconds} s`);
    } else if (state.status === 'signed-out') {
      reject(new CommandError(`${state.reason}; \`parley login\` signs you in`, exitCodes.notAllowed));
    }
  }

  function roomChanged(room: RoomState, event: RoomEvent): void {
    if (event.kind === 'deferred') notYet(event.error.message);
    if (event.kind === 'opened') saidWhyNot = false;
    if (event.kind === 'opened' && event.lost) note(lostText[event.lost]);
    if (event.kind === 'messages')
      for (const message of room.messages.slice(firstUnprinted(room))) show(message, room.me);
    if (event.kind === 'welcomed') print(event.message, room.me);
    if (event.kind === 'refused') {
      const code = event.error.code === 'PERMISSION_DENIED' ? exitCodes.notAllowed : exitCodes.failed;
      reject(new CommandError(event.error.message, code));
    }
    if (event.kind === 'failed') failed(room, event.key, event.error.message);
    if (event.kind === 'queued' || event.kind === 'acknowledged' || event.kind === 'messages') prompt();
    finish();
  }

  function notYet(reason: string): void {
    if (!saidWhyNot) note(`${reason}; trying again until the room opens`);
    saidWhyNot = true;
  }

  function firstUnprinted(room: RoomState): number {
    if (room.epoch !== printed.epoch) printed = { epoch: room.epoch, sequence: 0 };
    return room.messages.findLastIndex((message) => sequenceOf(message) <= printed.sequence) + 1;
  }

  function show(message: ChatMessage, me: string): void {
    printed.sequence = sequenceOf(message);
    print(message, me);
  }

  function print(message: ChatMessage, me: string): void {
    const line = json ? JSON.stringify(message) : messageLine(message, me, paint);
    if (line) screen.print(line);
  }

  function failed(room: RoomState, key: string, reason: string): void {
    const content = room.pending.find((one) => one.key === key)?.content ?? '';
    refused++;
    note(`not said: ${JSON.stringify(harmless(content.slice(0, 60)))}: ${reason}`);
    connection.dismiss(roomId, key);
  }

  /** Notes are about the chat, not of it: beside the messages of a script they go to stderr. */
  function note(text: string): void {
    if (!text) return;
    const lines = text.split('\n').map((line) => paint('yellow', `· ${line}`));
    if (process.stdout.isTTY && !json) screen.print(lines.join('\n'));
    else console.error(lines.join('\n'));
  }

  function prompt(): void {
    const waiting = connection.room(roomId).pending.length;
    const state = waiting > 0 ? paint('dim', ` (${waiting} on the way)`) : '';
    screen.prompt(`${paint('bold', here.username)}${state} ▸ `);
  }

  function who(): void {
    const { names } = connection.room(roomId);
    here.api.rooms.get(roomId, over.signal).then(
      ({ user_ids }) => note(`here: ${user_ids.map((id) => harmless(names.get(id) ?? id)).join(', ') || 'nobody'}`),
      () => over.signal.aborted || note('who is here cannot be told while the server is away'),
    );
  }

  /** After the end of the input, what was said is still brought to its end. */
  function finish(): void {
    if (!ending || connection.room(roomId).pending.length > 0) return;
    if (refused > 0) reject(new CommandError(`${refused} of your messages were not accepted`, exitCodes.failed));
    else resolve();
  }
}
