/** Everything as the chart runs it, without a cluster: nine processes over PostgreSQL and Redis, on ports that stay. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RedisServer, startRedis } from '@parley/chat/testing/redis';
import { KeyRing, makeKeys } from '@parley/kit';
import { freePort } from '@parley/kit/testing/port';
import { type PostgresServer, startPostgres } from '@parley/kit/testing/postgres';
import { Member } from './member.ts';
import { openRelay, type Relay } from './relay.ts';
import type { Tally } from './tally.ts';

export interface Deployment extends AsyncDisposable {
  readonly keys: KeyRing;
  readonly postgres: PostgresServer;
  readonly redis: RedisServer;
  /** The first of each is never killed. */
  readonly users: Member[];
  readonly chats: Member[];
  readonly gateways: Member[];
  readonly order: Member;
  readonly payment: Member;
  readonly members: Member[];
  /** To Redis, to PostgreSQL and to a chat process, each for one of those who need it. */
  readonly relays: Relay[];
}

export async function startDeployment(tally: Tally): Promise<Deployment> {
  const stack = new AsyncDisposableStack();
  try {
    return await build(stack, tally);
  } catch (error) {
    await stack.disposeAsync();
    throw error;
  }
}

async function build(stack: AsyncDisposableStack, tally: Tally): Promise<Deployment> {
  const folder = mkdtempSync(join(tmpdir(), 'parley-soak-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const keys = join(folder, 'keys');
  makeKeys(keys);
  const postgres = stack.use(await startPostgres());
  const redis = stack.use(await startRedis({ appendfsync: 'always' }));
  const relays: Relay[] = [];
  const relayed = async (target: number) => {
    const port = await freePort();
    relays.push(stack.use(await openRelay(port, target)));
    return port;
  };
  const redisAway = `redis://127.0.0.1:${await relayed(redis.port)}`;
  const postgresAway = postgres.url.replace(`:${postgres.port}/`, `:${await relayed(postgres.port)}/`);
  const common = {
    PARLEY_DATA_DIR: folder,
    PARLEY_JWT_KEYS: keys,
    DATABASE_URL: postgres.url,
    REDIS_URL: redis.url,
    PARLEY_PAYMENT_WEBHOOK_SECRET: 'soak',
  };
  const member = async (name: string, isKept: boolean, env: Record<string, string> = {}) => {
    const ports = { http: await freePort(), grpc: await freePort(), metrics: await freePort() };
    return stack.use(new Member(name, ports, isKept, { ...common, ...env }, tally));
  };
  const anyOf = (members: Member[]) => `static:///${members.map(({ grpc }) => grpc).join(',')}`;

  const users = [await member('user-1', true, { DATABASE_URL: postgresAway }), await member('user-2', false)];
  const payment = await member('payment', false);
  const toUsers = { PARLEY_USER_ADDRESS: anyOf(users) };
  const chats = [
    await member('chat-1', true, toUsers),
    await member('chat-2', false, { ...toUsers, REDIS_URL: redisAway }),
    await member('chat-3', false, toUsers),
  ];
  const [kept, ...others] = chats as [Member, ...Member[]];
  const toChats = `static:///127.0.0.1:${await relayed(kept.ports.grpc)},${others.map(({ grpc }) => grpc).join(',')}`;
  const to = { ...toUsers, PARLEY_CHAT_ADDRESS: toChats, PARLEY_PAYMENT_ADDRESS: payment.grpc };
  const order = await member('order', false, to);
  const toAll = { ...to, PARLEY_ORDER_ADDRESS: order.grpc };
  const gateways = [await member('gateway-1', true, toAll), await member('gateway-2', false, toAll)];

  for (const together of [
    [users[0] as Member, payment],
    [users[1] as Member, ...chats],
    [order, ...gateways],
  ])
    await Promise.all(together.map((one) => one.start()));
  return {
    keys: new KeyRing(keys),
    postgres,
    redis,
    users,
    chats,
    gateways,
    order,
    payment,
    members: [...users, payment, ...chats, order, ...gateways],
    relays,
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}
