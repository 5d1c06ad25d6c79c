import { isDeepStrictEqual } from 'node:util';
import { CHAT_ROOMS, type ChatRoom, ROOM_FINALIZER, roomIdOf } from '../api/index.ts';
import {
  type ApiClient,
  apply,
  type EventRecorder,
  findCondition,
  isApiError,
  keyOf,
  type Logger,
  type Reflector,
  type Result,
  setFinalizer,
  type Term,
  type WorkQueue,
  type Written,
} from '../runtime/index.ts';
import type { RoomAdmin, UserDirectory } from './chat.ts';
import { winnerOf } from './claims.ts';
import { Members } from './members.ts';
import { NumbersThrottle, type ThrottleOptions } from './numbers-throttle.ts';
import { Pass } from './pass.ts';
import { type Action, type Observed, plan } from './plan.ts';
import { RoomMirror } from './room-mirror.ts';
import { RoomWriter } from './room-writer.ts';
import { applied, changesInMs, onlyNumbersDiffer, saidOf, statusAfter, unreachable } from './status.ts';
import { eventsFor } from './transitions.ts';

export const FIELD_OWNER = 'parley-operator';
/** The index of the rooms' store by the room id that they claim. */
export const BY_ROOM_ID = 'roomId';

const TRY_REFUSED_AGAIN_MS = 5 * 60_000;

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
  readonly #members: Members;
  readonly #writer: RoomWriter;
  readonly #throttle: NumbersThrottle;
  /** Drifts that were put right and that no status tells yet, by key: where its write fails the next one tells them. */
  readonly #untold = new Map<string, string>();

  constructor(options: ChatRoomControllerOptions) {
    const { admin, queue, rooms, log, awayAfterMs } = options;
    this.#options = options;
    this.#members = new Members(options.users);
    this.#throttle = new NumbersThrottle(options.throttle);
    this.mirror = new RoomMirror({
      admin,
      log,
      ...(awayAfterMs === undefined ? {} : { awayAfterMs }),
      onRoom: (roomId, numbersOnly) => {
        for (const room of rooms.store.byIndex(BY_ROOM_ID, roomId)) {
          const key = keyOf(room);
          queue.addAfter(key, numbersOnly ? this.#throttle.waitMs(key) : 0);
        }
      },
      onAll: (away) => {
        // That chat is away is said of a hundred rooms a second; that it is back is worked off as fast as it goes.
        let n = 0;
        for (const key of rooms.store.keys()) queue.addAfter(key, away ? n++ * 10 : 0);
      },
    });
    this.#writer = new RoomWriter({ ...options, mirror: this.mirror, members: this.#members });
  }

  /** One pass over a resource. @throws where it must be tried again, after the status says why */
  async reconcile(key: string, signal: AbortSignal): Promise<Result | undefined> {
    const room = this.#options.written.get(key);
    if (!room) {
      this.#throttle.forget(key);
      this.#members.forget(key);
      this.#untold.delete(key);
      this.#options.written.forget(key);
      return;
    }
    const actions = plan(room, this.#observe(key, room));
    if (actions.length === 0) return;
    const pass = new Pass(key, room, roomIdOf(room));
    for (const action of actions) await this.#act(pass, action, signal);
    if (pass.released) return;
    const requeueAfterMs = await this.#report(pass, signal);
    if (pass.failure) throw pass.failure;
    return requeueAfterMs === undefined ? undefined : { requeueAfterMs };
  }

  #observe(key: string, room: ChatRoom): Observed {
    const roomId = roomIdOf(room);
    const winner = winnerOf(this.#options.rooms.store.byIndex(BY_ROOM_ID, roomId));
    const unresolved = findCondition(room.status?.conditions, 'MembersResolved')?.status !== 'True';
    return {
      ...(winner && winner.metadata.uid !== room.metadata.uid ? { winner } : {}),
      chat: this.mirror.observe(roomId),
      lookUpAgain: unresolved && (this.#members.dueInMs(key) ?? 0) === 0,
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
        pass.outcome.ready = unreachable(this.mirror.error);
        return;
      case 'report':
        pass.see(this.mirror.observe(pass.roomId));
        pass.outcome.ready = applied(pass.room);
        return;
      case 'giveBack':
        await this.#writer.giveBack(pass, action.keepHistory, signal);
        return;
      case 'apply':
        await this.#writer.apply(pass, action.because, signal);
        return;
    }
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

  /** Writes the status where it says something new, and tells when it will by itself. */
  async #report(pass: Pass, signal: AbortSignal): Promise<number | undefined> {
    const { client, written, events } = this.#options;
    const { key, room, outcome } = pass;
    const now = new Date();
    if (outcome.drift !== undefined) this.#untold.set(key, outcome.drift);
    const untold = this.#untold.get(key);
    if (untold !== undefined) outcome.drift = untold;
    const status = statusAfter(room, outcome, now);
    const waits = [changesInMs(status, now), outcome.ready?.reason === 'Rejected' ? TRY_REFUSED_AGAIN_MS : undefined];
    const lookUpInMs = this.#members.dueInMs(key);
    if (lookUpInMs !== undefined) waits.push(lookUpInMs + 1_000);
    const before = saidOf(room);
    const same = isDeepStrictEqual(status, before);
    if (!same && onlyNumbersDiffer(status, before) && this.#throttle.waitMs(key) > 0) {
      waits.push(this.#throttle.waitMs(key));
    } else if (!same) {
      const { name, namespace, resourceVersion } = room.metadata;
      const wanted = { metadata: { name, namespace, resourceVersion }, status };
      const options = { fieldOwner: FIELD_OWNER, subresource: 'status', signal };
      written.put(await apply<ChatRoom>(client, CHAT_ROOMS, wanted, options));
      this.#throttle.written(key);
      for (const text of eventsFor(room, status)) events.record(CHAT_ROOMS, room, text);
    }
    this.#untold.delete(key);
    const due = waits.filter((ms) => ms !== undefined);
    return due.length === 0 ? undefined : Math.min(...due);
  }
}
