/** The commands that people type: what `parley` has beside its services. */
import type { Command } from 'commander';
import { addAccountCommands } from './account-commands.ts';
import { addChatCommand } from './chat/chat-command.ts';
import { exitCodes, exitCodesHelp } from './exit.ts';
import { addOrderCommands } from './order-commands.ts';
import { addRoomCommands } from './room-commands.ts';
import { defaultUrl } from './settings.ts';

/** Adds register, login, logout, rooms, chat, send, users and orders. */
export function addClientCommands(program: Command): void {
  // The commands that follow inherit it.
  program.exitOverride(({ exitCode }) => process.exit(exitCode === 0 ? 0 : exitCodes.usage));
  const add = (name: string, description: string) =>
    program
      .command(name)
      .description(description)
      .option('--url <address>', `the gateway (PARLEY_URL, else ${defaultUrl})`)
      .addHelpText('after', exitCodesHelp);
  addAccountCommands(add);
  addRoomCommands(add);
  addChatCommand(add);
  addOrderCommands(add);
}

/** Makes a command with the options that all of the client's have. */
export type AddCommand = (name: string, description: string) => Command;
