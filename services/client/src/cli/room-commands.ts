import { text as readAll } from 'node:stream/consumers';
import { randomKey } from '../random-key.ts';
import type { AddCommand } from './commands.ts';
import { everyPage } from './every-page.ts';
import { CommandError, command } from './exit.ts';
import { persist } from './persist.ts';
import { printJson, table } from './print.ts';
import { mustHaveName, visit } from './visit.ts';

interface SendOptions {
  url?: string;
  name?: string;
  key?: string;
  json?: boolean;
}

export function addRoomCommands(add: AddCommand): void {
  add('rooms', 'list the rooms').option('--json', 'for scripts').action(command(rooms));
  add('send', 'say one thing in a room; without words, the standard input is said')
    .argument('<room>')
    .argument('[words...]')
    .option('--name <name>', 'come as a guest of this name')
    .option('--key <key>', 'an idempotency key: the same one again says nothing twice')
    .option('--json', 'for scripts')
    .action(command(send));
}

async function rooms(options: { url?: string; json?: boolean }): Promise<void> {
  const { api } = await visit(options);
  const pages = await everyPage((token) => api.rooms.list(token));
  const all = pages.flatMap(({ rooms }) => rooms);
  if (options.json) {
    printJson(all);
    return;
  }
  const rows = all.map((room) => [room.id, room.name, String(room.user_count), room.unread, room.topic]);
  process.stdout.write(table(['ROOM', 'NAME', 'HERE', 'UNREAD', 'TOPIC'], rows));
}

async function send(roomId: string, words: string[], options: SendOptions): Promise<void> {
  const here = await visit(options);
  mustHaveName(here);
  if (words.length === 0 && process.stdin.isTTY)
    throw new CommandError('there is nothing to say: give words, or pipe them in');
  const content = words.length > 0 ? words.join(' ') : (await readAll(process.stdin)).trimEnd();
  const { guest } = here;
  const message = { content, ...(guest ? { user_id: guest.userId, username: guest.username } : {}) };
  const key = options.key ?? randomKey();
  const answer = await persist(() => here.api.rooms.send(roomId, message, key));
  if (options.json) printJson(answer);
}
