import { type ChatRoom, chatRoomSpec, ROOM_FINALIZER, validate } from '../api/index.ts';
import { findCondition } from '../runtime/index.ts';
import { namesIn } from './wish.ts';

/** A room as WatchRooms tells it. */
export interface SeenRoom {
  digest: string;
  /** Empty: nobody's. */
  ownerUid: string;
  members: number;
  messages: number;
  lastMessageTime: string;
}

/** What was gathered about a resource's room. */
export interface Observed {
  /** The resource that has the room id, when it is another one. */
  winner?: ChatRoom;
  /**
   * What the watch on chat says: `starting` before it has told everything once, `away` when it has been down for long
   * enough to say so, else the room, or undefined where there is none.
   */
  chat: 'starting' | 'away' | { room: SeenRoom | undefined };
  /** Names are looked up again: some were unknown a minute ago. */
  lookUpAgain: boolean;
}

export type Action =
  /** Take the finalizer, before anything is made. */
  | { do: 'hold' }
  /** Make the room as the spec says. */
  | { do: 'apply'; because: 'new' | 'changed' | 'drifted' | 'adopted' | 'users' }
  /** Give the room back, because the resource goes or because another has the claim. */
  | { do: 'giveBack'; keepHistory: boolean }
  /** Let the resource go. */
  | { do: 'release' }
  /** Say that it cannot be done. */
  | { do: 'refuse'; reason: 'InvalidSpec' | 'RoomIdTaken'; message: string }
  /** Say that chat is away. */
  | { do: 'sayAway' }
  /** Bring the status up to date. */
  | { do: 'report' };

/** What there is to do for a resource, in order. Pure: the same resource and world give the same plan. */
export function plan(room: ChatRoom, observed: Observed): Action[] {
  const held = room.metadata.finalizers?.includes(ROOM_FINALIZER) ?? false;
  const seen = typeof observed.chat === 'object' ? observed.chat.room : undefined;
  const owns = seen !== undefined && seen.ownerUid === room.metadata.uid;
  const known = typeof observed.chat === 'object';

  if (room.metadata.deletionTimestamp) {
    if (!held) return [];
    const others = known && seen !== undefined && seen.ownerUid !== '' && !owns;
    // Without a digest it may have been made all the same, by a call or a leader that was cut off: chat knows.
    const never = known && room.status?.digest === undefined && !owns;
    if (others || never) return [{ do: 'release' }];
    return [{ do: 'giveBack', keepHistory: room.spec?.deletionPolicy !== 'Delete' }, { do: 'release' }];
  }

  const { problems } = validate(chatRoomSpec, room.spec, 'spec');
  if (problems.length > 0) return [{ do: 'refuse', reason: 'InvalidSpec', message: problems.join('; ') }];
  if (observed.winner) {
    const { namespace, name } = observed.winner.metadata;
    const message = `the room belongs to the older ChatRoom ${namespace}/${name}`;
    const refuse: Action = { do: 'refuse', reason: 'RoomIdTaken', message };
    return owns ? [{ do: 'giveBack', keepHistory: true }, refuse] : [refuse];
  }
  const because = whyApply(room, observed, seen);
  // What chat has never heard of can be deleted again without it.
  if (because && !held && observed.chat === 'away') return [{ do: 'sayAway' }];
  if (because) return held ? [{ do: 'apply', because }] : [{ do: 'hold' }, { do: 'apply', because }];
  if (observed.chat === 'away') return [{ do: 'sayAway' }];
  if (observed.chat === 'starting') return [];
  return held ? [{ do: 'report' }] : [{ do: 'hold' }, { do: 'report' }];
}

function whyApply(room: ChatRoom, { chat, lookUpAgain }: Observed, seen: SeenRoom | undefined) {
  const { status, metadata } = room;
  if (status?.digest === undefined) {
    // Whether it is made or adopted is known when chat has told what there is.
    if (chat === 'starting') return undefined;
    return seen && seen.ownerUid === '' ? 'adopted' : 'new';
  }
  if (status.observedGeneration !== metadata.generation) return 'changed';
  // What was refused, or not answered, is tried again whenever there is a reason to look.
  const ready = findCondition(status.conditions, 'Ready');
  if (ready?.status === 'False') return 'changed';
  // Before the names, which a drift looks up as well: they may be long in coming, and an edit is put right at once.
  if (typeof chat === 'object' && seen?.digest !== status.digest) return 'drifted';
  if (lookUpAgain && namesIn(room).length > 0) return 'users';
  return undefined;
}
