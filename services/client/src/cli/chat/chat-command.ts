import type { AddCommand } from '../commands.ts';
import { command } from '../exit.ts';
import { mustHaveName, visit } from '../visit.ts';
import { chat } from './chat.ts';

interface ChatOptions {
  url?: string;
  name?: string;
  json?: boolean;
}

export function addChatCommand(add: AddCommand): void {
  add('chat', 'talk in a room; lines from a pipe are said one after the other')
    .argument('[room]', 'which one', 'general')
    .option('--name <name>', 'come as a guest of this name')
    .option('--json', 'print messages as JSON, one a line')
    .action(
      command(async (roomId: string, options: ChatOptions) => {
        const here = await visit(options);
        mustHaveName(here);
        await chat(here, roomId, options.json ?? false);
      }),
    );
}
