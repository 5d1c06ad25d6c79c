import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Database, silentLog } from '@parley/kit';
import { startPostgres } from '@parley/kit/testing/postgres';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { main, startParley } from './testing/parley.ts';

/** Runs `parley` to its end: for starts that are refused. */
function parley(args: string[], env: Record<string, string> = {}) {
  const ports = { PARLEY_HTTP_PORT: '0', PARLEY_GRPC_PORT: '0', PARLEY_METRICS_PORT: '0' };
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, ...args], {
    env: { PATH: process.env['PATH'] ?? '', ...ports, ...env },
    encoding: 'utf8',
    timeout: 30_000,
  });
  return { status, stdout, stderr };
}

function temporary(): string & Disposable {
  return mkdtempSync(join(tmpdir(), 'parley-serve-')) as string & Disposable;
}

test('every bad setting is named at once, with its value and what is allowed, and nothing is written', () => {
  const directory = join(temporary(), 'data');
  const bad = {
    PARLEY_HTTP_PORT: 'eighty',
    PARLEY_GRPC_PORT: '70000',
    LOG_LEVEL: 'loud',
    PARLEY_AUTH: 'maybe',
    DATABASE_URL: 'mysql://x:secret@y',
    PARLEY_JWT_KEYS: '/there/are/no/keys/here',
    PARLEY_ADMIN_USERNAME: 'no spaces',
    PARLEY_PAYMENT_TIMEOUT_MS: 'soon',
    PARLEY_CHAT_QUEUE_BYTES: '-1',
    PARLEY_CATALOGUE: '/there/is/no/catalogue',
    PARLEY_REQUESTS_PER_MINUTE: '0',
  };
  const { status, stderr } = parley(['serve', 'all'], { ...bad, PARLEY_DATA_DIR: directory });
  expect(status).toBe(78);
  for (const name of Object.keys(bad)) expect(stderr).toContain(name);
  expect(stderr).toContain('PARLEY_ADMIN_PASSWORD is not: set both, or none');
  expect(stderr).toContain('"eighty"');
  expect(stderr).toContain('allowed are trace, debug, info');
  expect(stderr).not.toContain('secret');
  expect(existsSync(directory)).toBe(false);
});

test('what is wrong only together with something else is said before anything is written, too', () => {
  const directory = join(temporary(), 'data');
  const some = { PARLEY_ADMIN_USERNAME: 'root', PARLEY_DATA_DIR: directory };
  expect(parley(['serve', 'all'], some)).toMatchObject({
    status: 78,
    stderr: expect.stringContaining('PARLEY_ADMIN_USERNAME is set and PARLEY_ADMIN_PASSWORD is not: set both, or none'),
  });
  expect(existsSync(directory)).toBe(false);
});

test.each([
  ['user', ['DATABASE_URL', 'PARLEY_JWT_KEYS']],
  ['payment', ['DATABASE_URL', 'PARLEY_JWT_KEYS']],
  ['chat', ['DATABASE_URL', 'PARLEY_JWT_KEYS', 'PARLEY_USER_ADDRESS']],
  ['order', ['DATABASE_URL', 'PARLEY_CHAT_ADDRESS', 'PARLEY_JWT_KEYS', 'PARLEY_PAYMENT_ADDRESS']],
  [
    'gateway',
    ['PARLEY_CHAT_ADDRESS', 'PARLEY_JWT_KEYS', 'PARLEY_ORDER_ADDRESS', 'PARLEY_PAYMENT_ADDRESS', 'PARLEY_USER_ADDRESS'],
  ],
])('%s alone says which settings it misses, all at once', (service, missing) => {
  const { status, stderr } = parley(['serve', service]);
  expect(status).toBe(78);
  expect([...stderr.matchAll(/(\w+) is not set/g)].map(([, name]) => name).sort()).toEqual(missing);
});

test('a database of a newer version is refused, and nothing is written to any schema', async () => {
  await using postgres = await startPostgres();
  await using database = await Database.open({ url: postgres.url, log: silentLog });
  for (const schema of ['orders', 'payments']) {
    await sql`create schema ${sql.ref(schema)}`.execute(database.as());
    await sql`create table ${sql.table(`${schema}.migration`)} (name text, timestamp text)`.execute(database.as());
    await sql`insert into ${sql.table(`${schema}.migration`)} values ('9999_later', '')`.execute(database.as());
  }
  for (const command of [['serve', 'all'], ['migrate']]) {
    const directory = join(temporary(), 'data');
    const { status, stderr } = parley(command, { DATABASE_URL: postgres.url, PARLEY_DATA_DIR: directory });
    expect({ status, stderr: stderr.trim() }).toEqual({
      status: 78,
      stderr: expect.stringMatching(
        /9999_later of its schema "\w+", nor 9999_later of its schema "\w+": run the version/,
      ),
    });
    expect(existsSync(join(directory, 'keys'))).toBe(false);
  }
  const { rows } = await sql<{ name: string }>`select schema_name as name from information_schema.schemata
    where schema_name in ('users', 'chat', 'orders', 'payments') order by 1`.execute(database.as());
  expect(rows.map(({ name }) => name)).toEqual(['orders', 'payments']);
});

test('an upgrade whose database is still to be made leaves the schemas to the services', () => {
  for (const [env, problem] of [
    [{}, 'DATABASE_URL is not set'],
    [{ DATABASE_URL: 'postgres://parley@127.0.0.1:1/parley' }, 'ECONNREFUSED'],
  ] as const) {
    const { status, stdout } = parley(['migrate', '--patience', '0.1'], env);
    expect(status).toBe(0);
    expect(JSON.parse(stdout.trim().split('\n').at(-1)!)).toMatchObject({
      msg: 'database.left_to_the_services',
      problem: expect.stringContaining(problem),
    });
  }
});

test('an unknown service and a port in use end with one sentence that says what to do', async () => {
  expect(parley(['serve', 'everything']).stderr).toMatch(/serve all, user/);
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, resolve));
  const { port } = server.address() as { port: number };
  const directory = temporary();
  for (const name of ['PARLEY_HTTP_PORT', 'PARLEY_GRPC_PORT', 'PARLEY_METRICS_PORT']) {
    const { status, stderr } = parley(['serve', 'all'], { [name]: String(port), PARLEY_DATA_DIR: directory });
    expect({ name, status, stderr: stderr.trim() }).toEqual({
      name,
      status: 1,
      stderr: `port ${port} is in use by another process: stop that one, or set ${name} to a free port`,
    });
  }
  server.close();
});

test('a data folder in use is refused, one of a dead process is taken over, and what was said is still there', async () => {
  const directory = temporary();
  const first = await startParley('all', { PARLEY_DATA_DIR: directory });
  const { status, stderr } = parley(['serve', 'all'], { PARLEY_DATA_DIR: directory });
  expect(status).toBe(1);
  expect(stderr).toContain(`in use by process ${first.pid}`);
  const join = await fetch(`${first.http}/v1/rooms/general/messages`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ user_id: 'u', username: 'u', content: 'still here' }),
  });
  expect(join.status).toBe(200);
  await first.end('SIGKILL');
  await using second = await startParley('all', { PARLEY_DATA_DIR: directory });
  const answer = (await (await fetch(`${second.http}/v1/rooms/general/messages`)).json()) as {
    messages: { content: string }[];
  };
  expect(answer.messages.map(({ content }) => content)).toContain('still here');
  await first[Symbol.asyncDispose]();
  rmSync(directory, { recursive: true, force: true });
});

test.skipIf(process.getuid?.() === 0)('a data folder that cannot be written says so', () => {
  const directory = temporary();
  chmodSync(directory, 0o500);
  expect(parley(['serve', 'all'], { PARLEY_DATA_DIR: join(directory, 'data') }).stderr).toContain('cannot be written');
});

test('a file where the data folder should be is refused with what to do', () => {
  const file = join(temporary(), 'file');
  writeFileSync(file, '');
  expect(parley(['serve', 'all'], { PARLEY_DATA_DIR: file })).toMatchObject({
    status: 1,
    stderr: expect.stringContaining('set PARLEY_DATA_DIR to another folder'),
  });
});

test('health, readiness and metrics are served, and SIGTERM ends the process with 0', async () => {
  await using running = await startParley('all');
  expect((await fetch(`${running.metrics}/livez`)).status).toBe(200);
  expect((await fetch(`${running.metrics}/readyz`)).status).toBe(200);
  await fetch(`${running.http}/v1/rooms`);
  expect(await (await fetch(`${running.metrics}/metrics`)).text()).toMatch(
    /grpc_server_handled_total\{[^}]*grpc_method="ListRooms"[^}]*grpc_code="OK"/,
  );
  expect(await running.end('SIGTERM')).toBe(0);
  expect(readFileSync(new URL('../bin/parley.js', import.meta.url), 'utf8')).toContain('Parley needs Node');
});
