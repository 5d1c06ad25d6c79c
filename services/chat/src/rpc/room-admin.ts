/** chat.RoomAdminService: rooms as resources. */
import { AppError, implement, type Outgoing, type ServedService } from '@parley/kit';
import type { Room } from '@parley/proto/chat/Room';
import type { WatchRoomsResponse } from '@parley/proto/chat/WatchRoomsResponse';
import type { RoomSummary } from '../log/log.ts';
import { formatCursor, formatTime } from '../messages/cursor.ts';
import { applied, checkMayWrite } from '../rooms/apply.ts';
import { absent } from '../rooms/rooms.ts';
import { checkRoomId } from '../rooms/rules.ts';
import { digestOf, ownerFrom, specFrom, specShown } from '../rooms/spec.ts';
import type { ChatParts } from './parts.ts';

const batchRooms = 500;
/** Frames that a watcher may be behind. */
const mostPending = 1000;

export function roomAdminService(parts: ChatParts): ServedService {
  const { log, rooms } = parts;
  const shown = async (roomId: string): Promise<Room> => {
    const [summary] = await log.summaries([roomId]);
    if (summary === undefined) throw absent(roomId);
    return { ...withoutSpec(summary), spec: specShown(summary.record.spec) };
  };
  return implement(
    'chat.RoomAdminService',
    { applyRoom: 'service', getRoom: 'service', deleteRoom: 'service', watchRooms: 'service' },
    {
      async applyRoom({ room_id, spec, owner, fence }) {
        checkRoomId(room_id);
        const [wanted, whose] = [specFrom(spec), ownerFrom(owner)];
        await rooms.change(room_id, (record) => applied(room_id, record, wanted, whose, Number(fence)));
        return shown(room_id);
      },

      async getRoom({ room_id }) {
        checkRoomId(room_id);
        return shown(room_id);
      },

      async deleteRoom({ room_id, keep_history, owner, fence }) {
        checkRoomId(room_id);
        for (;;) {
          const record = await rooms.read(room_id);
          // Deleted already: whoever asks again has what he wants.
          if (record === undefined) return {};
          checkMayWrite(record, ownerFrom(owner), Number(fence));
          if (await log.deleteRoom(room_id, record.version, keep_history)) {
            rooms.learn(room_id, undefined);
            return {};
          }
        }
      },

      async watchRooms({ room_ids }, { signal }, out) {
        const wanted = room_ids.length > 0 ? new Set(room_ids) : undefined;
        await new RoomWatch(parts, wanted, out).run(signal);
      },
    },
  );
}

/** One watcher: all that is there, then what changes. */
class RoomWatch {
  readonly #parts: ChatParts;
  readonly #wanted: Set<string> | undefined;
  readonly #out: Outgoing<WatchRoomsResponse>;
  /** What the watcher was told that there is. */
  #told = new Set<string>();
  readonly #changed = new Set<string>();
  #all = true;
  #synced = false;
  #wake: () => void = () => undefined;

  constructor(parts: ChatParts, wanted: Set<string> | undefined, out: Outgoing<WatchRoomsResponse>) {
    this.#parts = parts;
    this.#wanted = wanted;
    this.#out = out;
  }

  async run(signal: AbortSignal): Promise<never> {
    const following = await this.#parts.log.followRooms((roomIds) => {
      if (roomIds === undefined) this.#all = true;
      else for (const id of roomIds) if (this.#wanted?.has(id) ?? true) this.#changed.add(id);
      this.#wake();
    });
    const stop = () => this.#wake();
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (;;) {
        if (signal.aborted) throw signal.reason;
        if (this.#out.pendingWrites > mostPending) {
          throw new AppError('RESOURCE_EXHAUSTED', 'changes are not read as fast as they come: watch again', {
            retryAfterMs: 0,
          });
        }
        if (this.#all) await this.#tellAll();
        else if (this.#changed.size > 0) await this.#tellChanged();
        else {
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
            if (signal.aborted) resolve();
          });
        }
      }
    } finally {
      signal.removeEventListener('abort', stop);
      await following[Symbol.asyncDispose]();
    }
  }

  async #tellAll(): Promise<void> {
    this.#all = false;
    this.#changed.clear();
    const before = this.#told;
    this.#told = new Set();
    const { log } = this.#parts;
    if (this.#wanted) this.#tell(await log.summaries([...this.#wanted]));
    else {
      for (let after = ''; ; ) {
        const page = await log.rooms(after, batchRooms);
        this.#tell(page);
        if (page.length < batchRooms) break;
        after = page.at(-1)!.record.roomId;
      }
    }
    const deleted = [...before].filter((id) => !this.#told.has(id));
    if (deleted.length > 0) this.#out.write({ deleted });
    if (!this.#synced) this.#out.write({ synced: true });
    this.#synced = true;
  }

  async #tellChanged(): Promise<void> {
    const ids = [...this.#changed].slice(0, batchRooms);
    for (const id of ids) this.#changed.delete(id);
    const found = await this.#parts.log.summaries(ids);
    this.#tell(found);
    const there = new Set(found.map(({ record }) => record.roomId));
    const deleted = ids.filter((id) => !there.has(id) && this.#told.delete(id));
    if (deleted.length > 0) this.#out.write({ deleted });
  }

  #tell(found: RoomSummary[]): void {
    if (found.length === 0) return;
    for (const { record } of found) this.#told.add(record.roomId);
    this.#out.write({ rooms: found.map(withoutSpec) });
  }
}

function withoutSpec({ record, head, members, messages, lastMessageTimeMs }: RoomSummary): Room {
  const { roomId, spec, owner } = record;
  return {
    room_id: roomId,
    owner: owner ?? null,
    digest: digestOf(spec, owner),
    members,
    messages,
    last_message_time: lastMessageTimeMs === undefined ? '' : formatTime(lastMessageTimeMs),
    cursor: formatCursor(head),
  };
}
