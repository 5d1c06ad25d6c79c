import { AppError } from '@parley/kit/errors';
import type { Room__Output } from '@parley/proto/chat/Room';
import type { RoomSpec } from '@parley/proto/chat/RoomSpec';
import { CHAT_ROOMS, type ChatRoom } from '../api/index.ts';
import {
  type ApiClient,
  type EventRecorder,
  isApiError,
  type Logger,
  type Reflector,
  type Term,
  type WorkQueue,
} from '../runtime/index.ts';
import type { RoomAdmin } from './chat.ts';
import type { Members } from './members.ts';
import { isGone, ownerOf } from './ownership.ts';
import type { Pass } from './pass.ts';
import type { Action } from './plan.ts';
import type { RoomMirror } from './room-mirror.ts';
import { applied, unreachable } from './status.ts';
import { differences, wishOf } from './wish.ts';

const CALL_TIMEOUT_MS = 10_000;
/** leaseTransitions is a 32-bit number. */
const HIGHEST_FENCE = 2 ** 31 - 1;

export interface RoomWriterOptions {
  client: ApiClient;
  term: Term;
  admin: RoomAdmin;
  mirror: RoomMirror;
  members: Members;
  rooms: Reflector<ChatRoom>;
  queue: WorkQueue;
  events: EventRecorder;
  /** Is this namespace among those that the store holds? */
  watches(namespace: string): boolean;
  log: Logger;
}

type Because = (Action & { do: 'apply' })['because'];

/** Makes rooms in chat and gives them back. What goes wrong ends up in the pass, as what its status says. */
export class RoomWriter {
  readonly #options: RoomWriterOptions;

  constructor(options: RoomWriterOptions) {
    this.#options = options;
  }

  /** Makes the room as the resource says. */
  async apply(pass: Pass, because: Because, signal: AbortSignal): Promise<void> {
    await this.#attempt(pass, signal, () => this.#apply(pass, because, signal));
  }

  /** Ends the resource's claim on the room. */
  async giveBack(pass: Pass, keepHistory: boolean, signal: AbortSignal): Promise<void> {
    await this.#attempt(pass, signal, () => this.#giveBack(pass, keepHistory, signal));
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
    this.#options.members.forget(pass.key);
    switch (error.code) {
      case 'INVALID_ARGUMENT':
      case 'OUT_OF_RANGE':
      case 'FAILED_PRECONDITION':
      case 'UNIMPLEMENTED':
        outcome.observed = true;
        outcome.ready = { status: 'False', reason: 'Rejected', message: error.message };
        // A resource is not let go with its room left behind.
        if (room.metadata.deletionTimestamp) pass.failure = error;
        return;
      default:
        if (room.metadata.deletionTimestamp && (await this.#namespaceGoes(room, signal))) return;
        outcome.ready = unreachable(error);
        pass.failure = error;
    }
  }

  async #apply(pass: Pass, because: Because, signal: AbortSignal): Promise<void> {
    const { admin, events, mirror } = this.#options;
    const { outcome, roomId } = pass;
    const users = await this.#options.members.resolve(pass);
    // A drift does not wait for names that nobody had: it is put right with those who are known.
    if (pass.failure && because !== 'drifted') return;
    const wish = wishOf(pass.room, users);
    const drift = because === 'drifted' ? await this.#drift(pass, wish, signal) : undefined;
    const asApplied = because === 'users' || (because === 'drifted' && !drift);
    if (asApplied && users.length === (pass.room.status?.users ?? []).length) {
      this.#sayAsApplied(pass);
      return;
    }
    const request = { room_id: roomId, spec: wish, owner: ownerOf(pass.room), fence: this.#fence(pass) };
    const settings = { signal, timeoutMs: CALL_TIMEOUT_MS };
    const before = mirror.seen(roomId);
    let answer: Room__Output;
    try {
      answer = await admin.applyRoom(request, settings);
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'ALREADY_EXISTS') throw error;
      if (!(await this.#takeOver(pass, error, signal))) return;
      answer = await admin.applyRoom(request, settings);
    }
    outcome.observed = true;
    outcome.digest = answer.digest;
    const seen = mirror.put(answer, before);
    if (seen) outcome.seen = seen;
    if (!pass.failure) outcome.ready = applied(pass.room);
    if (because === 'adopted') {
      const note = 'The room was there and nobody had it; it is now as this resource says.';
      events.record(CHAT_ROOMS, pass.room, { type: 'Normal', reason: 'Adopted', action: 'Apply', note });
    }
    if (drift?.what !== undefined) {
      outcome.drift = drift.what;
      const note = `Put right: ${drift.what}.`;
      events.record(CHAT_ROOMS, pass.room, { type: 'Warning', reason: 'Drifted', action: 'Apply', note });
    }
  }

  /** Asks chat what was done to the room; undefined: it is as it was last applied. */
  async #drift(pass: Pass, wish: RoomSpec, signal: AbortSignal): Promise<{ what: string | undefined } | undefined> {
    const { mirror } = this.#options;
    const before = mirror.seen(pass.roomId);
    const actual = await this.#getRoom(pass.roomId, signal);
    if (!actual || actual.digest !== pass.room.status?.digest) return { what: driftOf(wish, actual, pass.room) };
    // The stream is behind the calls.
    mirror.put(actual, before);
    return undefined;
  }

  /** The room needs nothing: what the watch on chat says of it is all there is to say. */
  #sayAsApplied(pass: Pass): void {
    const { mirror } = this.#options;
    const chat = mirror.observe(pass.roomId);
    pass.see(chat);
    if (pass.failure) return;
    if (chat === 'away') pass.outcome.ready = unreachable(mirror.error);
    else if (chat !== 'starting') pass.outcome.ready = applied(pass.room);
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
}

function isFenced(error: AppError): boolean {
  return error.code === 'FAILED_PRECONDITION' && error.details.reason === 'FENCED';
}

/** What was done to a room behind its resource; undefined where only the digest is another, as after a new release. */
function driftOf(wish: RoomSpec, actual: Room__Output | undefined, room: ChatRoom): string | undefined {
  if (!actual) return 'the room had been deleted';
  const changed = differences(wish, actual.spec);
  if (changed.length > 0) return `changed behind this resource: ${changed.join(', ')}`;
  return actual.owner?.uid === room.metadata.uid ? undefined : 'the room had lost its owner';
}
