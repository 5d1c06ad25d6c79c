/** Chat on a real gRPC server, for tests: any number of pods over one log's store. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppError,
  type AuthMode,
  followRevocations,
  implement,
  KeyRing,
  type Logger,
  Metrics,
  makeKeys,
  type Role,
  RpcChannel,
  type RpcClient,
  RpcServer,
  readSettings,
  serviceTokens,
  signToken,
  silentLog,
  TokenVerifier,
} from '@parley/kit';
import type { ChatLog } from '../log/log.ts';
import type { RoomsMode } from '../rooms/rooms.ts';
import { createChatService } from '../service.ts';
import { chatSettings } from '../settings.ts';

export interface Pod extends AsyncDisposable {
  port: number;
  chat: RpcClient<'chat.ChatService'>;
  admin: RpcClient<'chat.RoomAdminService'>;
  log: ChatLog;
  metrics: Metrics;
  /** As on SIGTERM. */
  drain(): Promise<void>;
}

export interface RigSettings {
  authMode?: AuthMode;
  roomsMode?: RoomsMode;
  env?: Record<string, string>;
  logger?: Logger;
}

/** A folder of keys, users who have passwords, and pods. */
export class Rig implements AsyncDisposable {
  readonly #folder = mkdtempSync(join(tmpdir(), 'parley-chat-'));
  readonly #stack = new AsyncDisposableStack();
  readonly keys: KeyRing;
  readonly registered: { user_id: string; username: string }[] = [
    { user_id: '1', username: 'alice' },
    { user_id: '2', username: 'bob' },
    { user_id: '3', username: 'carol' },
  ];
  readonly #watchers = new Set<(revocation: { user_id: string; issued_before: string }) => void>();
  lookups = 0;
  #users!: RpcClient<'auth.AuthService'>;

  private constructor() {
    makeKeys(this.#folder);
    this.keys = new KeyRing(this.#folder);
  }

  static async start(): Promise<Rig> {
    const rig = new Rig();
    const server = await RpcServer.listen({
      port: 0,
      services: [rig.#authService()],
      authMode: 'required',
      verifier: new TokenVerifier(rig.keys),
      log: silentLog,
      metrics: new Metrics(),
    });
    rig.#stack.use(server);
    const token = serviceTokens(rig.keys, 'chat');
    const channel = rig.#stack.use(new RpcChannel({ address: `127.0.0.1:${server.port}`, token }));
    rig.#users = channel.client('auth.AuthService');
    return rig;
  }

  token(userId: string, username: string, role: Role = 'member', seconds = 900): string {
    return signToken(this.keys, { userId, username, role }, seconds);
  }

  service(): string {
    return this.token('0', 'gateway', 'service');
  }

  /** Signs a user out everywhere. */
  revoke(userId: string): void {
    for (const tell of this.#watchers)
      tell({ user_id: userId, issued_before: new Date(Date.now() + 1000).toISOString() });
  }

  async pod(log: ChatLog, podId: string, settings: RigSettings = {}): Promise<Pod> {
    const { authMode = 'open', roomsMode = 'open', env = {}, logger = silentLog } = settings;
    const verifier = new TokenVerifier(this.keys);
    const metrics = new Metrics();
    const revocations = followRevocations(this.#users, verifier, logger);
    const service = await createChatService({
      log,
      users: this.#users,
      verifier,
      podId,
      settings: readSettings(chatSettings, env),
      logger,
      metrics,
      authMode,
      roomsMode,
    });
    const server = await RpcServer.listen({ port: 0, services: service.rpc, authMode, verifier, log: logger, metrics });
    const channel = new RpcChannel({ address: `127.0.0.1:${server.port}` });
    let disposed: Promise<void> | undefined;
    const dispose = async () => {
      channel[Symbol.dispose]();
      await revocations[Symbol.asyncDispose]();
      await server.drain(500);
      await service[Symbol.asyncDispose]();
    };
    const pod: Pod = {
      port: server.port,
      chat: channel.client('chat.ChatService'),
      admin: channel.client('chat.RoomAdminService'),
      log,
      metrics,
      async drain() {
        await service.drain?.();
        await server.drain(2000);
      },
      [Symbol.asyncDispose]() {
        disposed ??= dispose();
        return disposed;
      },
    };
    this.#stack.use(pod);
    return pod;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  #authService() {
    const none = () => {
      throw new AppError('UNIMPLEMENTED', 'not here');
    };
    return implement(
      'auth.AuthService',
      {
        register: 'anyone',
        login: 'anyone',
        refresh: 'anyone',
        logout: 'anyone',
        watchRevocations: 'service',
        lookupUsers: 'service',
      },
      {
        register: none,
        login: none,
        refresh: none,
        logout: none,
        watchRevocations: async (_request, { signal }, out) => {
          const tell = (revocation: { user_id: string; issued_before: string }) => out.write(revocation);
          this.#watchers.add(tell);
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)));
        },
        lookupUsers: ({ user_ids, usernames }) => {
          this.lookups++;
          const users = this.registered.filter(
            (user) => user_ids.includes(user.user_id) || usernames.map((n) => n.toLowerCase()).includes(user.username),
          );
          return { users: users.map((user) => ({ ...user, registered: true })) };
        },
      },
    );
  }
}

export function failureOf(call: Promise<unknown>): Promise<AppError> {
  return call.then(
    () => {
      throw new Error('the call was expected to fail');
    },
    (error: unknown) => error as AppError,
  );
}
