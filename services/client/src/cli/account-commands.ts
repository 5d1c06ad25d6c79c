import { ParleyError } from '../problem.ts';
import { ask, askPassword } from './ask.ts';
import type { AddCommand } from './commands.ts';
import { CommandError, command, exitCodes } from './exit.ts';
import { printJson, table } from './print.ts';
import { visit } from './visit.ts';

interface RegisterOptions {
  url?: string;
  email?: string;
  fullName?: string;
}

export function addAccountCommands(add: AddCommand): void {
  add('register', 'make an account and sign in with it; the password is asked for, or read from a pipe')
    .argument('[username]')
    .option('--email <address>', 'your e-mail address')
    .option('--full-name <name>', 'your full name')
    .action(command(register));
  add('login', 'sign in; the password is asked for, or read from a pipe').argument('[username]').action(command(login));
  add('logout', 'end the session that is kept for this server').action(command(logout));
  add('users', 'list who has an account, or show one')
    .argument('[id]')
    .option('--page <number>', 'which page, from 1', '1')
    .option('--page-size <number>', 'how many on a page, up to 100', '20')
    .option('--json', 'for scripts')
    .action(command(users));
}

const noUsername = 'the username is missing: give it as the first argument';

async function register(name: string | undefined, options: RegisterOptions): Promise<void> {
  const { session, origin } = await visit(options);
  const username = name ?? (await ask('Username: ', noUsername));
  const email =
    options.email ?? (await ask('E-mail: ', 'the e-mail address is missing: give it with --email <address>'));
  const password = await askPassword('Password: ');
  const user = await session.register({ username, email, full_name: options.fullName ?? '', password });
  console.log(`Welcome, ${user.username}. You are signed in at ${origin}.`);
}

async function login(name: string | undefined, options: { url?: string }): Promise<void> {
  const { session, origin } = await visit(options);
  const username = name ?? (await ask('Username: ', noUsername));
  const password = await askPassword('Password: ');
  const user = await session.login(username, password).catch((error) => {
    // Here it is the sign-in itself that failed: to advise one would not help.
    if (error instanceof ParleyError && error.code === 'UNAUTHENTICATED')
      throw new CommandError(error.message, exitCodes.notAllowed);
    throw error;
  });
  console.log(`Signed in at ${origin} as ${user.username}.`);
}

async function logout(options: { url?: string }): Promise<void> {
  const { session, origin, guest } = await visit(options);
  if (guest) {
    console.log(`You were not signed in at ${origin}.`);
    return;
  }
  await session.logout();
  console.log(`Signed out at ${origin}.`);
}

async function users(
  id: string | undefined,
  options: { url?: string; page: string; pageSize: string; json?: boolean },
): Promise<void> {
  const { api } = await visit(options);
  if (id !== undefined) {
    const user = await api.users.get(id);
    if (options.json) printJson(user);
    else process.stdout.write(table(['ID', 'USERNAME', 'NAME'], [[user.id, user.username, user.full_name]]));
    return;
  }
  const answer = await api.users.list(whole('--page', options.page), whole('--page-size', options.pageSize));
  if (options.json) printJson(answer);
  else {
    const rows = answer.users.map((user) => [user.id, user.username, user.full_name]);
    process.stdout.write(table(['ID', 'USERNAME', 'NAME'], rows));
    if (answer.users.length < answer.total) console.log(`${answer.users.length} of ${answer.total}; --page shows more`);
  }
}

function whole(option: string, text: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new CommandError(`${option} is ${JSON.stringify(text)}; a whole number is wanted`);
  return Number(text);
}
