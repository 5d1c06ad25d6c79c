/**
 * Orders and payments in one process that dies after one of some steps: `node saga-process.ts <postgres url> <step>...`.
 * Prints its gRPC port and the buyer's token once it listens, and the step before it dies.
 */
import { mkdtempSync, writeSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  Database,
  KeyRing,
  Metrics,
  makeKeys,
  RpcChannel,
  RpcServer,
  serviceTokens,
  signToken,
  silentLog,
  TokenVerifier,
} from '@parley/kit';
import { createOrderService } from '@parley/order';
import { createPaymentService } from '@parley/payment';

const [url, ...deadly] = process.argv.slice(2);
/** No step is told before the port is. */
let listening = false;
const mayDie = (step: string) => {
  if (!listening || !deadly.includes(step)) return;
  writeSync(1, `${step}\n`);
  process.kill(process.pid, 'SIGKILL');
};
const folder = mkdtempSync(join(tmpdir(), 'parley-saga-'));
makeKeys(folder);
const keys = new KeyRing(folder);
const token = serviceTokens(keys, 'test');
const verifier = new TokenVerifier(keys);
const database = await Database.open({ url, log: silentLog });
const metrics = new Metrics();
const port = await new Promise<number>((resolve) => {
  const probe = createServer().listen(0, () => {
    const { port } = probe.address() as { port: number };
    probe.close(() => resolve(port));
  });
});
const channel = new RpcChannel({ address: `127.0.0.1:${port}`, token });
const payment = await createPaymentService({
  database,
  settings: { providerTimeoutMs: 300, giveUpSeconds: 2, webhookSecret: 'secret', simulatedLateMs: 700 },
  log: silentLog,
  metrics,
  checkpoint: mayDie,
});
const order = await createOrderService({
  database,
  payments: channel.client('payment.PaymentService'),
  rooms: { getRoom: async () => ({ owner: {} }), applyRoom: async () => ({}) } as never,
  chat: { sendMessage: async () => ({}) } as never,
  verifier,
  settings: { catalogue: undefined },
  log: silentLog,
  metrics,
  checkpoint: mayDie,
  leaseSeconds: 2,
});
await RpcServer.listen({
  port,
  services: [...payment.rpc, ...order.rpc],
  authMode: 'required',
  verifier,
  log: silentLog,
  metrics,
});
const buyer = signToken(keys, { userId: '42', username: 'buyer', role: 'member' });
writeSync(1, `${JSON.stringify({ port, buyer })}\n`);
listening = true;
