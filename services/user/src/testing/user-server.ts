/** The service on a gRPC server of its own, as the platform runs it, and clients of it. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AuthMode,
  type Database,
  KeyRing,
  Metrics,
  makeKeys,
  RpcChannel,
  type RpcClient,
  RpcServer,
  readSettings,
  signToken,
  silentLog,
  TokenVerifier,
} from '@parley/kit';
import { createUserService } from '../service.ts';
import { type UserSettings, userSettings } from '../settings.ts';

export interface UserServer extends AsyncDisposable {
  port: number;
  users: RpcClient<'user.UserService'>;
  auth: RpcClient<'auth.AuthService'>;
  keys: KeyRing;
  metrics: Metrics;
  /** An admin's token, and a service's. */
  admin: string;
  service: string;
}

export interface UserServerSettings {
  database: Database;
  authMode?: AuthMode;
  /** Hashing is cheap, and limits are far, unless they are given. */
  settings?: Partial<UserSettings>;
  keys?: KeyRing;
}

/** Signing keys for a whole test file. */
export const keyFolder = mkdtempSync(join(tmpdir(), 'parley-user-keys-'));
makeKeys(keyFolder);
process.once('exit', () => rmSync(keyFolder, { recursive: true, force: true }));

export const defaults: UserSettings = {
  ...readSettings(userSettings, {}),
  passwordMemoryKib: 1024,
  signInsPerAddress: 1_000_000,
};

export async function serveUsers({ database, authMode = 'open', settings }: UserServerSettings): Promise<UserServer> {
  const keys = new KeyRing(keyFolder);
  const verifier = new TokenVerifier(keys);
  const metrics = new Metrics();
  const shared = { verifier, log: silentLog, metrics, authMode };
  const service = await createUserService({ ...shared, database, keys, settings: { ...defaults, ...settings } });
  const server = await RpcServer.listen({ ...shared, port: 0, services: service.rpc });
  const channel = new RpcChannel({ address: `127.0.0.1:${server.port}` });
  return {
    port: server.port,
    users: channel.client('user.UserService'),
    auth: channel.client('auth.AuthService'),
    keys,
    metrics,
    admin: signToken(keys, { userId: '999999999', username: 'root', role: 'admin' }),
    service: signToken(keys, { userId: '0', username: 'chat', role: 'service' }),
    async [Symbol.asyncDispose]() {
      channel[Symbol.dispose]();
      await server.drain(500);
      await service[Symbol.asyncDispose]();
    },
  };
}

/** What a call that must fail fails with. */
export async function failure(call: Promise<unknown>): Promise<import('@parley/kit').AppError> {
  try {
    await call;
  } catch (error) {
    return error as import('@parley/kit').AppError;
  }
  throw new Error('the call did not fail');
}
