import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  AppError,
  implement,
  KeyRing,
  Metrics,
  makeKeys,
  RpcChannel,
  RpcServer,
  serviceTokens,
  silentLog,
  TokenVerifier,
  unavailable,
} from '@parley/kit';
import type { Owner__Output } from '@parley/proto/chat/Owner';
import type { Room__Output } from '@parley/proto/chat/Room';
import type { RoomSpec__Output } from '@parley/proto/chat/RoomSpec';
import type { WatchRoomsResponse } from '@parley/proto/chat/WatchRoomsResponse';

type Watcher = (response: WatchRoomsResponse) => void;

/** chat.RoomAdminService and the lookup of auth.AuthService by their contract, in memory, over real gRPC. */
export class ChatServer implements AsyncDisposable {
  readonly rooms = new Map<string, Room__Output & { fence: number }>();
  /** User ids by name. */
  readonly users = new Map<string, string>();
  readonly calls = { applyRoom: 0, getRoom: 0, deleteRoom: 0, watchRooms: 0, lookupUsers: 0 };
  /** Methods that answer UNAVAILABLE. */
  readonly failing = new Set<string>();
  /** Called when a room has been applied, before that is answered; what it throws is the answer. */
  beforeAnswer: ((roomId: string) => Promise<void>) | undefined;
  /** The fences of the writes that were let in, in order. */
  readonly fences: number[] = [];
  /** Rooms deleted with their history, in order. */
  readonly erased: string[] = [];
  readonly channel: RpcChannel;
  #server: RpcServer | undefined;
  readonly #watchers = new Set<Watcher>();
  readonly #ring: KeyRing;
  /** The folder of the signing keys. */
  readonly keys: string;
  readonly port: number;

  private constructor(port: number, ring: KeyRing, keys: string) {
    this.port = port;
    this.keys = keys;
    this.#ring = ring;
    this.channel = new RpcChannel({ address: `127.0.0.1:${port}`, token: serviceTokens(ring, 'operator') });
  }

  static async listen(): Promise<ChatServer> {
    const folder = mkdtempSync(join(tmpdir(), 'parley-keys-'));
    makeKeys(folder);
    const ring = new KeyRing(folder);
    // The port of a server that is closed again, so that it can be had once more after a stop.
    const probe = await RpcServer.listen({
      port: 0,
      services: [],
      authMode: 'required',
      verifier: new TokenVerifier(ring),
      log: silentLog,
      metrics: new Metrics(),
    });
    const { port } = probe;
    await probe.drain(0);
    const server = new ChatServer(port, ring, folder);
    await server.start();
    return server;
  }

  async start(): Promise<void> {
    this.#server = await RpcServer.listen({
      port: this.port,
      services: [this.#rooms(), this.#lookup()],
      authMode: 'required',
      verifier: new TokenVerifier(this.#ring),
      log: silentLog,
      metrics: new Metrics(),
    });
  }

  /** Ends the server; its rooms stay for the next start. */
  async stop(): Promise<void> {
    await this.#server?.drain(0);
    this.#server = undefined;
  }

  /** Changes a room as someone would behind the operator's back. */
  edit(roomId: string, change: Partial<RoomSpec__Output>): void {
    const room = this.rooms.get(roomId)!;
    this.#put({ ...room, spec: { ...room.spec!, ...change } });
  }

  /** People come and talk. */
  talk(roomId: string, numbers: { members?: number; messages?: string; last_message_time?: string }): void {
    this.#put({ ...this.rooms.get(roomId)!, ...numbers });
  }

  /** Makes or replaces a room without the operator. */
  make(roomId: string, owner: Owner__Output | null = null): void {
    const spec = { display_name: 'Made elsewhere' } as RoomSpec__Output;
    this.#put({ ...blank(roomId), spec, owner, fence: 0 });
  }

  remove(roomId: string): void {
    this.rooms.delete(roomId);
    this.#tell({ deleted: [roomId] });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.channel[Symbol.dispose]();
    await this.stop();
    rmSync(this.keys, { recursive: true, force: true });
  }

  #put(room: Room__Output & { fence: number }): Room__Output {
    const hashed = { ...room, digest: digest(room.spec, room.owner) };
    this.rooms.set(room.room_id, hashed);
    this.#tell({ rooms: [{ ...hashed, spec: null }] });
    return hashed;
  }

  #tell(response: WatchRoomsResponse): void {
    for (const watcher of this.#watchers) watcher(response);
  }

  #guard(roomId: string, owner: Owner__Output | null, fence: string): void {
    const room = this.rooms.get(roomId);
    if (room?.owner?.uid && room.owner.uid !== owner?.uid) {
      throw new AppError('ALREADY_EXISTS', `the room ${roomId} belongs to ${room.owner.namespace}/${room.owner.name}`);
    }
    if (room && Number(fence) < room.fence) {
      throw new AppError('FAILED_PRECONDITION', `fence is ${fence}; the room was written with ${room.fence}`, {
        reason: 'FENCED',
      });
    }
    this.fences.push(Number(fence));
  }

  #rooms() {
    const service = 'service' as const;
    return implement(
      'chat.RoomAdminService',
      { applyRoom: service, getRoom: service, deleteRoom: service, watchRooms: service },
      {
        applyRoom: async ({ room_id, spec, owner, fence }) => {
          this.calls.applyRoom += 1;
          if (this.failing.has('applyRoom')) throw unavailable('not now');
          this.#guard(room_id, owner, fence);
          if (spec?.display_name === 'refuse me') throw new AppError('INVALID_ARGUMENT', 'display_name is not allowed');
          const known = this.rooms.get(room_id) ?? blank(room_id);
          const room = this.#put({ ...known, spec, owner, fence: Number(fence) });
          await this.beforeAnswer?.(room_id);
          return room;
        },
        getRoom: ({ room_id }) => {
          this.calls.getRoom += 1;
          const room = this.rooms.get(room_id);
          if (!room) throw new AppError('NOT_FOUND', `the room ${room_id} does not exist`);
          return room;
        },
        deleteRoom: ({ room_id, keep_history, owner, fence }) => {
          this.calls.deleteRoom += 1;
          if (!this.rooms.has(room_id)) throw new AppError('NOT_FOUND', `the room ${room_id} does not exist`);
          this.#guard(room_id, owner, fence);
          if (keep_history) this.#put({ ...this.rooms.get(room_id)!, owner: null });
          else {
            this.erased.push(room_id);
            this.remove(room_id);
          }
          return {};
        },
        watchRooms: async (_request, { signal }, out) => {
          this.calls.watchRooms += 1;
          const watcher: Watcher = (response) => out.write(response);
          const rooms = [...this.rooms.values()].map((room) => ({ ...room, spec: null }));
          for (let from = 0; from < rooms.length; from += 500) out.write({ rooms: rooms.slice(from, from + 500) });
          out.write({ synced: true });
          this.#watchers.add(watcher);
          await new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))).finally(() =>
            this.#watchers.delete(watcher),
          );
        },
      },
    );
  }

  #lookup() {
    const off = () => {
      throw new AppError('UNIMPLEMENTED', 'not here');
    };
    const access = 'service' as const;
    return implement(
      'auth.AuthService',
      {
        register: access,
        login: access,
        refresh: access,
        logout: access,
        watchRevocations: access,
        lookupUsers: access,
      },
      {
        register: off,
        login: off,
        refresh: off,
        logout: off,
        watchRevocations: off,
        lookupUsers: ({ usernames }) => {
          this.calls.lookupUsers += 1;
          if (this.failing.has('lookupUsers')) throw unavailable('not now');
          return {
            users: usernames.flatMap((username) => {
              const user_id = this.users.get(username);
              return user_id === undefined ? [] : [{ user_id, username, registered: true }];
            }),
          };
        },
      },
    );
  }
}

function blank(room_id: string): Room__Output & { fence: number } {
  return {
    room_id,
    spec: null,
    owner: null,
    digest: '',
    members: 0,
    messages: '0',
    last_message_time: '',
    cursor: 'e-0',
    fence: 0,
  };
}

function digest(spec: RoomSpec__Output | null, owner: Owner__Output | null): string {
  return createHash('sha256')
    .update(JSON.stringify([spec, owner]))
    .digest('hex')
    .slice(0, 32);
}
