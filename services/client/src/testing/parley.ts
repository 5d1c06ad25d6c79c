/** The client's commands alone, for tests: `parley` without its services. */
import { Command } from 'commander';
import { addClientCommands } from '../cli/commands.ts';

const program = new Command('parley');
addClientCommands(program);
await program.parseAsync();
