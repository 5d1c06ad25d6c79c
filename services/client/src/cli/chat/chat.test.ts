import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Fate, TestGateway } from '../../testing/gateway.ts';

const program = fileURLToPath(new URL('../../testing/parley.ts', import.meta.url));
let gateway: TestGateway;
let home: string;
const children: ChildProcess[] = [];

beforeEach(async () => {
  gateway = await TestGateway.start();
  gateway.users = () => ({ userId: '', username: '' });
  home = await mkdtemp(join(tmpdir(), 'parley-'));
});
afterEach(async () => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  await gateway[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

function parley(...args: string[]) {
  const env = { ...process.env, XDG_CONFIG_HOME: home, PARLEY_URL: gateway.url };
  const child = spawn(process.execPath, [program, ...args], { env, stdio: 'pipe' });
  children.push(child);
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  return { child, ended, out: text(child.stdout), err: text(child.stderr) };
}

const until = (condition: () => boolean) => expect.poll(condition, { timeout: 15_000 }).toBe(true);

test('lines from a pipe are all said, once and in order, over a link that breaks', async () => {
  let sends = 0;
  const faults: Record<number, Fate> = { 5: 'before', 12: 'after', 13: 'before', 20: 'busy' };
  gateway.fate = (frame) => (frame.send && faults[++sends]) || 'ok';
  const lines = Array.from({ length: 30 }, (_, n) => `line ${n}`);
  const { child, ended, out } = parley('chat', 'den', '--name', 'ann');
  child.stdin.end(`${lines.join('\n')}\n`);
  expect(await ended).toBe(0);
  expect(gateway.log('den').map(({ content }) => content)).toEqual(lines);
  const printed = (await out).split('\n').flatMap((line) => /ann\S* {2}(line \d+)$/.exec(line)?.[1] ?? []);
  // The last acknowledgements may come before their messages; what is printed is each once, in order.
  expect(printed).toEqual(lines.slice(0, printed.length));
});

test('an outage and the return are told beside the messages, not among them', async () => {
  const { child, ended, out, err } = parley('chat', 'den', '--name', 'ann', '--json');
  gateway.say('den', 'bob', 'one');
  await until(() => gateway.connections === 1 && gateway.subscribed('den') === 1);
  gateway.dropAll();
  gateway.say('den', 'bob', 'two');
  await until(() => gateway.connections === 2 && gateway.subscribed('den') === 1);
  child.stdin.end('/who\n');
  expect(await ended).toBe(0);
  expect(await err).toMatch(/trying again in 1 s\n.*connected again/);
  const printed = (await out).trim().split('\n');
  expect(printed.map((line) => JSON.parse(line).content)).toEqual(['one', 'two']);
});

test('a room’s welcome is a line after the history, which is printed once', async () => {
  gateway.welcome = 'Read the rules.';
  gateway.say('den', 'bob', 'before');
  const { child, ended, out, err } = parley('chat', 'den', '--name', 'ann', '--json');
  await until(() => gateway.subscribed('den') === 1);
  gateway.say('den', 'bob', 'live');
  child.stdin.end('bye\n');
  expect(await ended).toBe(0);
  const printed = (await out).trim().split('\n');
  expect(printed.map((line) => JSON.parse(line).content).slice(0, 3)).toEqual(['before', 'Read the rules.', 'live']);
  expect(await err).toBe('');
});

test('a room that is full is said to be, once, and opens when it can', async () => {
  let refusals = 0;
  gateway.fate = (frame) => (frame.subscribe && ++refusals <= 3 ? 'busy' : 'ok');
  const { child, ended, err } = parley('chat', 'den', '--name', 'ann');
  await until(() => gateway.subscribed('den') === 1);
  child.stdin.end('hello\n');
  expect(await ended).toBe(0);
  expect(await err).toBe('· slow down; trying again until the room opens\n');
});

test('what steers a terminal is shown, not obeyed', async () => {
  gateway.say('den', 'bob', 'a\u001b[2Jb\u202ec\nd');
  const { child, ended, out } = parley('chat', 'den', '--name', 'ann');
  await until(() => gateway.subscribed('den') === 1);
  child.stdin.end('bye\n');
  expect(await ended).toBe(0);
  expect(await out).toMatch(/bob {2}a\ufffd\[2Jb\ufffdc\n {6}d\n/);
});

test('a refused message is named, and the exit code tells of it', async () => {
  gateway.fate = (frame) => (frame.send ? 'refuse' : 'ok');
  const { child, ended, err } = parley('chat', 'den', '--name', 'ann');
  child.stdin.end('let me in\n');
  expect(await ended).toBe(1);
  expect(await err).toContain('not said: "let me in": not you');
});

test.each([
  [['chat'], 64, 'parley: say who you are: `parley login`, or --name <name> to come as a guest\n'],
  [
    ['rooms', '--url', 'nowhere'],
    64,
    'parley: --url is "nowhere"; an address such as http://localhost:8080 is wanted\n',
  ],
  [
    ['rooms', '--url', 'http://127.0.0.1:1'],
    69,
    'parley: http://127.0.0.1:1 cannot be reached; is it running, and is --url right?\n',
  ],
  [['register'], 64, 'parley: the username is missing: give it as the first argument\n'],
  [['register', 'ann'], 64, 'parley: the e-mail address is missing: give it with --email <address>\n'],
  [['users', '--nope'], 64, "error: unknown option '--nope'\n"],
  [['orders', 'nonsense'], 64, "error: too many arguments for 'orders'. Expected 0 arguments but got 1: nonsense.\n"],
  [['users', '--page', 'x'], 64, 'parley: --page is "x"; a whole number is wanted\n'],
])('parley %j ends with %i and one sentence', async (args, code, sentence) => {
  const { child, ended, err } = parley(...args);
  child.stdin.end();
  expect(await ended).toBe(code);
  expect(await err).toBe(sentence);
});
