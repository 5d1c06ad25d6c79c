/** Orders and payments on one gRPC server, as `serve all` has them, with PGlite in memory. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppError,
  type AuthMode,
  Database,
  KeyRing,
  Metrics,
  makeKeys,
  migrate,
  type Role,
  RpcChannel,
  type RpcClient,
  RpcServer,
  serviceTokens,
  signToken,
  silentLog,
  TokenVerifier,
} from '@parley/kit';
import { createOrderService, orderSchema } from '@parley/order';
import { createPaymentService, paymentSchema } from '@parley/payment';

export interface OrderServer extends AsyncDisposable {
  orders: RpcClient<'order.OrderService'>;
  payments: RpcClient<'payment.PaymentService'>;
  database: Database;
  verifier: TokenVerifier;
  token(userId: string, role?: Role): string;
}

export const webhookSecret = 'secret';

/** Where the simulated provider answers for tok_late after 300 ms, and what it never answered is given up after 1 s. */
export async function serveOrders(authMode: AuthMode): Promise<OrderServer> {
  const stack = new AsyncDisposableStack();
  const folder = mkdtempSync(join(tmpdir(), 'parley-orders-'));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  makeKeys(folder);
  const keys = new KeyRing(folder);
  const verifier = new TokenVerifier(keys);
  const database = stack.use(await Database.open({ log: silentLog }));
  for (const schema of [orderSchema, paymentSchema]) await migrate(database, schema);
  const shared = { log: silentLog, metrics: new Metrics(), verifier, authMode };
  const payment = stack.use(
    await createPaymentService({
      ...shared,
      database,
      settings: { providerTimeoutMs: 200, giveUpSeconds: 1, webhookSecret, simulatedLateMs: 300 },
    }),
  );
  const ownServer = await RpcServer.listen({ ...shared, port: 0, services: payment.rpc });
  stack.defer(() => ownServer.drain(500));
  const within = stack.use(
    new RpcChannel({ address: `127.0.0.1:${ownServer.port}`, token: serviceTokens(keys, 'order') }),
  );
  const order = stack.use(
    await createOrderService({
      ...shared,
      database,
      payments: within.client('payment.PaymentService'),
      // What the buyer is told in chat is distributed.test.ts's to see.
      rooms: { getRoom: async () => ({ owner: {} }), applyRoom: async () => ({}) } as never,
      chat: { sendMessage: async () => ({}) } as never,
      settings: { catalogue: undefined },
    }),
  );
  const server = await RpcServer.listen({ ...shared, port: 0, services: [...order.rpc, ...payment.rpc] });
  stack.defer(() => server.drain(500));
  const channel = stack.use(new RpcChannel({ address: `127.0.0.1:${server.port}` }));
  return {
    orders: channel.client('order.OrderService'),
    payments: channel.client('payment.PaymentService'),
    database,
    verifier,
    token: (userId, role = 'member') => signToken(keys, { userId, username: `user-${userId}`, role }),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

/** What a call that must fail fails with. */
export async function failure(call: Promise<unknown>): Promise<AppError> {
  const error = await call.then(
    () => undefined,
    (reason) => reason,
  );
  if (error instanceof AppError) return error;
  throw new Error('the call did not fail with an AppError', { cause: error });
}
