import { isDeepStrictEqual } from 'node:util';
import { AppError } from '@parley/kit/errors';
import type { Room__Output } from '@parley/proto/chat/Room';
import {
  CHAT_ROOMS,
  type ChatRoom,
  chatRoomSpec,
  type ResolvedUser,
  ROOM_FINALIZER,
  roomIdOf,
  validate,
} from '../api/index.ts';
import {
  type ApiClient,
  apply,
  type EventRecorder,
  findCondition,
  isApiError,
  type Logger,
  monotonicMs,
  type Reflector,
  type Result,
  setFinalizer,
  type Term,
  type WorkQueue,
  type Written,
} from '../runtime/index.ts';
import type { RoomAdmin, UserDirectory } from './chat.ts';
import { winnerOf } from './claims.ts';
import { NumbersThrottle, type ThrottleOptions } from './numbers-throttle.ts';
import { isGone, ownerOf } from './ownership.ts';
import { type Action, plan } from './plan.ts';
import { RoomMirror } from './room-mirror.ts';
import { changesInMs, type Outcome, onlyNumbersDiffer, statusAfter } from './status.ts';
import { UserLookup } from './user-lookup.ts';
import { differences, namesIn, wishOf } from './wish.ts';

export const FIELD_OWNER = 'parley-operator';
/** The index of the rooms' store by the room id that they claim. */
export const BY_ROOM_ID = 'roomId';

const LOOK_UP_AGAIN_MS = 60_000;
const TRY_REFUSED_AGAIN_MS = 5 * 60_000;
const CALL_TIMEOUT_MS = 10_000;
/** leaseTransitions is a 32-bit number. */
const HIGHEST_FENCE = 2 ** 31 - 1;

export interface ChatRoomControllerOptions {
  /** Fenced by the term. */
  client: ApiClient;
  term: Term;
  rooms: Reflector<ChatRoom>;
  written: Written<ChatRoom>;
  queue: WorkQueue;
  admin: RoomAdmin;
  users: UserDirectory;
  events: EventRecorder;
  /** Is this namespace among those that the store holds? */
  watches(namespace: string): boolean;
  throttle?: ThrottleOptions;
  awayAfterMs?: number;
  log: Logger;
}

/** Brings rooms in line with their resources: gathers, plans, acts, reports. */
export class ChatRoomController {
  readonly mirror: RoomMirror;
  readonly #options: ChatRoomControllerOptions;
  readonly #lookup: UserLookup;
  readonly #throttle: NumbersThrottle;
  /** When names that nobody had are looked up again. */
  readonly #lookUpAtMs = new Map<string, number>();

  constructor(options: ChatRoomControllerOptions) {
    const { admin, queue, rooms, log, awayAfterMs } = options;
    this.#options = options;
    this.#lookup = new UserLookup(options.users);
    this.#throttle = new NumbersThrottle(options.throttle);
    this.mirror = new RoomMirror({
      admin,
      log,
      ...(awayAfterMs === undefined ? {} : { awayAfterMs }),
      onRoom: (roomId, numbersOnly) => {
        for (const room of rooms.store.byIndex(BY_ROOM_ID, roomId)) {
          const key = `${room.metadata.namespace}/${room.metadata.name}`;
          queue.addAfter(key, numbersOnly ? this.#throttle.waitMs(key) : 0);
        }
      },
      onAll: (away) => {
        // That chat is away is said of a hundred rooms a second; that it is back is worked off as fast as it goes.
        let n = 0;
        for (const key of rooms.store.keys()) queue.addAfter(key, away ? n++ * 10 : 0);
      },
    });
  }

  /** One pass over a resource. @throws where it must be tried again, after the status says why */
  async reconcile(key: string, signal: AbortSignal): Promise<Result | undefined> {
    const room = this.#options.written.get(key);
    if (!room) {
      this.#throttle.forget(key);
      this.#lookUpAtMs.delete(key);
      this.#options.written.forget(key);
      return;
    }
    const actions = plan(room, this.#observe(key, room));
    if (actions.length === 0) return;
    const pass = new Pass(room, roomIdOf(room));
    for (const action of actions) await this.#act(pass, action, signal);
    if (pass.released) return;
    const requeueAfterMs = await this.#report(key, pass, signal);
    if (pass.failure) throw pass.failure;
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  #observe(key: string, room: ChatRoom) {
    const roomId = roomIdOf(room);
    const winner = winnerOf(this.#options.rooms.store.byIndex(BY_ROOM_ID, roomId));
    const unresolved = findCondition(room.status?.conditions, 'MembersResolved')?.status !== 'True';
    return {
      ...(winner && winner.metadata.uid !== room.metadata.uid ? { winner } : {}),
      chat: this.mirror.observe(roomId),
      lookUpAgain: unresolved && monotonicMs() >= (this.#lookUpAtMs.get(key) ?? 0),
    };
  }

  async #act(pass: Pass, action: Action, signal: AbortSignal): Promise<void> {
    const { client, written } = this.#options;
    if (pass.failure) return;
    switch (action.do) {
      case 'hold':
        pass.room = written.put(await setFinalizer(client, CHAT_ROOMS, pass.room, ROOM_FINALIZER, true, signal));
        return;
      case 'release':
        await this.#release(pass, signal);
        return;
      case 'refuse':
        pass.outcome.observed = true;
        pass.outcome.ready = { status: 'False', reason: action.reason, message: action.message };
        return;
      case 'sayAway':
        pass.outcome.ready = away('the chat service has not answered for a while');
        return;
      case 'report':
        pass.seen(this.mirror.observe(pass.roomId));
        pass.outcome.ready = this.#applied(pass.room);
        return;
      case 'giveBack':
        await this.#attempt(pass, signal, () => this.#giveBack(pass, action.keepHistory, signal));
        return;
      case 'apply':
        await this.#attempt(pass, signal, () => this.#apply(pass, action.because, signal));
        return;
    }
  }

  /** Calls chat, and turns what goes wrong into what the status says. */
  async #attempt(pass: Pass, signal: AbortSignal, call: () => Promise<void>): Promise<void> {
    for (;;) {
      try {
        await call();
        return;
      } catch (error) {
        if (!(error instanceof AppError) || signal.aborted) throw error;
        if (isFenced(error) && (await this.#catchUp(pass))) continue;
        await this.#explain(pass, error, signal);
        return;
      }
    }
  }

  /**
   * Chat remembers a higher fence: of a later leader, and then the Lease is no longer this process's to write; or of a
   * Lease that was deleted and counts from the start, and then its holder catches up.
   */
  async #catchUp(pass: Pass): Promise<boolean> {
    if (pass.fence >= HIGHEST_FENCE) return false;
    await this.#options.term.raiseFence(Math.min(pass.fence * 2 + 1, HIGHEST_FENCE));
    return true;
  }

  async #explain(pass: Pass, error: AppError, signal: AbortSignal): Promise<void> {
    const { room, outcome } = pass;
    // What was not applied is not remembered as applied: who was found is looked up again.
    outcome.users = undefined;
    this.#lookUpAtMs.delete(`${room.metadata.namespace}/${room.metadata.name}`);
    switch (error.code) {
      case 'INVALID_ARGUMENT':
      case 'OUT_OF_RANGE':
      case 'FAILED_PRECONDITION':
      case 'UNIMPLEMENTED':
        outcome.observed = true;
        outcome.ready = { status: 'False', reason: 'Rejected', message: error.message };
        return;
      case 'UNAUTHENTICATED':
      case 'PERMISSION_DENIED':
        outcome.ready = { status: 'False', reason: 'NotAllowed', message: error.message };
        pass.failure = error;
        return;
      default:
        if (room.metadata.deletionTimestamp && (await this.#namespaceGoes(room, signal))) return;
        outcome.ready = away(error.message);
        pass.failure = error;
    }
  }

  async #apply(pass: Pass, because: (Action & { do: 'apply' })['because'], signal: AbortSignal): Promise<void> {
    const { admin, events } = this.#options;
    const { outcome, roomId } = pass;
    const users = await this.#resolve(pass);
    if (pass.failure) return;
    if (because === 'users' && users.length === (pass.room.status?.users ?? []).length) {
      pass.seen(this.mirror.observe(roomId));
      return;
    }
    const wish = wishOf(pass.room, users);
    if (because === 'drifted') {
      const actual = await this.#getRoom(roomId, signal);
      if (actual && actual.digest === pass.room.status?.digest) {
        // The stream is behind the calls.
        outcome.seen = this.mirror.put(actual);
        outcome.ready = this.#applied(pass.room);
        return;
      }
      const changed = differences(wish, actual?.spec ?? null);
      if (!actual) outcome.drift = 'the room had been deleted';
      else if (changed.length > 0) outcome.drift = `changed behind this resource: ${changed.join(', ')}`;
      else if (actual.owner?.uid !== pass.room.metadata.uid) outcome.drift = 'the room had lost its owner';
    }
    const request = { room_id: roomId, spec: wish, owner: ownerOf(pass.room), fence: this.#fence(pass) };
    const settings = { signal, timeoutMs: CALL_TIMEOUT_MS };
    let answer: Room__Output | undefined;
    try {
      answer = await admin.applyRoom(request, settings);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ALREADY_EXISTS') throw error;
      if (!(await this.#takeOver(pass, error, signal))) return;
      answer = await admin.applyRoom(request, settings);
    }
    outcome.observed = true;
    outcome.digest = answer.digest;
    outcome.seen = this.mirror.put(answer);
    outcome.ready = { status: 'True', reason: 'Applied', message: unknownFields(pass.room) };
    if (because === 'adopted') {
      const note = 'The room was there and nobody had it; it is now as this resource says.';
      events.record(CHAT_ROOMS, pass.room, { type: 'Normal', reason: 'Adopted', action: 'Apply', note });
    }
  }

  /** Who the names are: those known stay who they were, the others are looked up. */
  async #resolve(pass: Pass): Promise<ResolvedUser[]> {
    const { room, outcome } = pass;
    const names = namesIn(room);
    const known = (room.status?.users ?? []).filter(({ username }) => names.includes(username));
    const unknown = names.filter((name) => !known.some(({ username }) => username === name));
    try {
      const ids = await this.#lookup.ids(unknown);
      const found = [...ids].map(([username, id]) => ({ username, id }));
      outcome.users = [...known, ...found].sort((a, b) => (a.username < b.username ? -1 : 1));
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      outcome.usersAway = error.message;
      outcome.ready = { status: 'Unknown', reason: 'UsersUnavailable', message: error.message };
      pass.failure = error;
      return known;
    }
    const key = `${room.metadata.namespace}/${room.metadata.name}`;
    if (outcome.users.length < names.length) this.#lookUpAtMs.set(key, monotonicMs() + LOOK_UP_AGAIN_MS);
    else this.#lookUpAtMs.delete(key);
    return outcome.users;
  }

  /** Frees the room of an owner that is no more. False when the owner is, or may be, there: the status says who. */
  async #takeOver(pass: Pass, refused: AppError, signal: AbortSignal): Promise<boolean> {
    const { admin, events, rooms, queue, watches } = this.#options;
    const owner = (await this.#getRoom(pass.roomId, signal))?.owner;
    if (!owner) return true;
    const name = `${owner.namespace}/${owner.name}`;
    if (!isGone(owner, pass.room, rooms.store, watches)) {
      // One that is younger than this one gives the room back as soon as it is looked at.
      queue.add(name);
      pass.outcome.observed = true;
      pass.outcome.ready = { status: 'False', reason: 'RoomIdTaken', message: `the room belongs to ChatRoom ${name}` };
      this.#options.log.info({ room: pass.roomId, owner: name, error: refused.message }, 'room.taken');
      return false;
    }
    const request = { room_id: pass.roomId, keep_history: true, owner, fence: this.#fence(pass) };
    await admin.deleteRoom(request, { signal, timeoutMs: CALL_TIMEOUT_MS });
    const note = `The room belonged to ChatRoom ${name}, uid ${owner.uid}, which is no more.`;
    events.record(CHAT_ROOMS, pass.room, { type: 'Normal', reason: 'TakenOver', action: 'Apply', note });
    return true;
  }

  async #giveBack(pass: Pass, keepHistory: boolean, signal: AbortSignal): Promise<void> {
    const { admin } = this.#options;
    const { roomId, room } = pass;
    const request = { room_id: roomId, keep_history: keepHistory, owner: ownerOf(room), fence: this.#fence(pass) };
    try {
      await admin.deleteRoom(request, { signal, timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      // Gone already, or another's: either way there is nothing to give back.
      if (!(error instanceof AppError) || !['NOT_FOUND', 'ALREADY_EXISTS'].includes(error.code)) throw error;
    }
  }

  /** The fence for a write to chat, if this process may still write. @throws LeadershipLost */
  #fence(pass: Pass): string {
    this.#options.term.check();
    pass.fence = this.#options.term.fence;
    return String(pass.fence);
  }

  async #release(pass: Pass, signal: AbortSignal): Promise<void> {
    const { client, written } = this.#options;
    try {
      written.put(await setFinalizer(client, CHAT_ROOMS, pass.room, ROOM_FINALIZER, false, signal));
    } catch (error) {
      if (!isApiError(error, 404)) throw error;
    }
    pass.released = true;
  }

  async #getRoom(roomId: string, signal: AbortSignal): Promise<Room__Output | undefined> {
    try {
      return await this.#options.admin.getRoom({ room_id: roomId }, { signal, timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      if (error instanceof AppError && error.code === 'NOT_FOUND') return;
      throw error;
    }
  }

  /** Is the whole namespace being deleted? Then chat, which may go with it, is not waited for. */
  async #namespaceGoes(room: ChatRoom, signal: AbortSignal): Promise<boolean> {
    const path = `/api/v1/namespaces/${room.metadata.namespace}`;
    try {
      const { metadata } = await this.#options.client.request<ChatRoom>({ method: 'GET', path, signal });
      return metadata.deletionTimestamp !== undefined;
    } catch (error) {
      return isApiError(error, 404);
    }
  }

  #applied(room: ChatRoom): Outcome['ready'] {
    return { status: 'True', reason: 'Applied', message: unknownFields(room) };
  }

  /** Writes the status where it says something new, and tells when it will by itself. */
  async #report(key: string, pass: Pass, signal: AbortSignal): Promise<number | undefined> {
    const { client, written } = this.#options;
    const { room, outcome } = pass;
    const now = new Date();
    const status = statusAfter(room, outcome, now);
    const waits = [changesInMs(status, now), outcome.ready?.reason === 'Rejected' ? TRY_REFUSED_AGAIN_MS : undefined];
    const lookUpAtMs = this.#lookUpAtMs.get(key);
    if (lookUpAtMs !== undefined) waits.push(Math.max(1_000, lookUpAtMs - monotonicMs()));
    const same = isDeepStrictEqual(status, room.status);
    if (!same && onlyNumbersDiffer(status, room.status ?? {}) && this.#throttle.waitMs(key) > 0) {
      waits.push(this.#throttle.waitMs(key));
    } else if (!same) {
      const { name, namespace, resourceVersion } = room.metadata;
      const wanted = { metadata: { name, namespace, resourceVersion }, status };
      const options = { fieldOwner: FIELD_OWNER, subresource: 'status', signal };
      written.put(await apply<ChatRoom>(client, CHAT_ROOMS, wanted, options));
      this.#throttle.written(key);
      this.#tell(room, status);
    }
    return waits.reduce<number | undefined>(
      (least, ms) => (ms === undefined ? least : Math.min(least ?? ms, ms)),
      undefined,
    );
  }

  /** Events for what the status now says that it did not say before. */
  #tell(room: ChatRoom, status: NonNullable<ChatRoom['status']>): void {
    const { events } = this.#options;
    const turned = (type: string) => {
      const [before, after] = [room.status?.conditions, status.conditions].map((c) => findCondition(c, type));
      return after && (before?.status !== after.status || before.message !== after.message)
        ? { before, after }
        : undefined;
    };
    const ready = turned('Ready');
    if (ready?.after.status === 'True' && ready.before && ready.before.status !== 'True') {
      const note = 'The room is as this resource says.';
      events.record(CHAT_ROOMS, room, { type: 'Normal', reason: 'Applied', action: 'Apply', note });
    } else if (ready && ready.after.status !== 'True' && ready.before?.reason !== ready.after.reason) {
      const { reason, message } = ready.after;
      events.record(CHAT_ROOMS, room, { type: 'Warning', reason, action: 'Apply', note: message });
    }
    const members = turned('MembersResolved')?.after;
    if (members?.status === 'False') {
      const { reason, message } = members;
      events.record(CHAT_ROOMS, room, { type: 'Warning', reason, action: 'LookUp', note: message });
    }
    const drifted = turned('Drifted')?.after;
    if (drifted?.status === 'True') {
      const note = `Put right: ${drifted.message}.`;
      events.record(CHAT_ROOMS, room, { type: 'Warning', reason: 'Drifted', action: 'Apply', note });
    }
  }
}

/** One reconcile under way. */
class Pass {
  room: ChatRoom;
  readonly roomId: string;
  readonly outcome: Outcome;
  released = false;
  /** What the last call to chat carried. */
  fence = 0;
  /** Thrown at the end, so that the queue tries again. */
  failure: Error | undefined;

  constructor(room: ChatRoom, roomId: string) {
    this.room = room;
    this.roomId = roomId;
    this.outcome = { roomId, observed: false };
  }

  seen(chat: ReturnType<RoomMirror['observe']>): void {
    if (typeof chat === 'object' && chat.room) this.outcome.seen = chat.room;
  }
}

function isFenced(error: AppError): boolean {
  return error.code === 'FAILED_PRECONDITION' && error.details.reason === 'FENCED';
}

function away(message: string): NonNullable<Outcome['ready']> {
  return { status: 'Unknown', reason: 'ChatUnavailable', message };
}

/** What a newer schema allows and this operator does not know: it is said, not dropped in silence. */
function unknownFields(room: ChatRoom): string {
  const { unknown } = validate(chatRoomSpec, room.spec, 'spec');
  return unknown.length === 0 ? '' : `this operator does not know ${unknown.join(', ')}`;
}
