/** What one room looks like to one person: plain data, changed only by reduce(). */
import { formatCursor } from '../cursor.ts';
import type { ChatMessage, HistoryLost } from '../wire.ts';

/** A message that was typed here and is not yet seen in the log. */
export interface Pending {
  /** The idempotency key: the same for every try. */
  key: string;
  content: string;
  /** When it was typed, in milliseconds of the epoch. */
  at: number;
  state: 'queued' | 'sending' | 'acknowledged' | 'failed';
  /** Queued, but not to be sent before this time: the server asked to wait. */
  notBefore: number;
  tries: number;
  /** The log's message that this one became, as far as it is known. */
  messageId?: string;
  sequence?: number;
  epoch?: string;
  error?: { code: string; message: string };
}

export interface Typist {
  userId: string;
  username: string;
  /** Milliseconds of the epoch: not typing any more after it. */
  until: number;
}

/** What the room says to whoever comes: a line of no place in the log. */
export interface Welcome {
  message: ChatMessage;
  /** The id of the message that was the last one here when it came; absent where nothing was. */
  after?: string;
}

export type RoomPhase = 'closed' | 'opening' | 'open' | 'refused';

export interface RoomState {
  roomId: string;
  phase: RoomPhase;
  /** Why it is refused, or, while it is asked for again and again, not open yet. */
  error?: { code: string; message: string };
  /** The id under which this person's messages are in the log. */
  me: string;
  epoch: string;
  /** The log as far as it is known here: by sequence, none twice. */
  messages: readonly ChatMessage[];
  /** What was on screen before history was lost: shown above the notice, never as part of the log. */
  earlier: readonly ChatMessage[];
  lost?: HistoryLost;
  welcome?: Welcome;
  /** Nothing older is kept than messages[0]. */
  fromStart: boolean;
  /** The live stream left something out: nothing is taken from it until it is resumed after messages.at(-1). */
  jumped: boolean;
  /** What is missing below this sequence is trimmed, not missed: the history may have left it out. */
  settledBelow: number;
  removed: ReadonlySet<string>;
  pending: readonly Pending[];
  /** Who is in the room: username by user id; the name is empty where it is not known yet. */
  members: ReadonlyMap<string, string>;
  names: ReadonlyMap<string, string>;
  typing: readonly Typist[];
  unread: number;
}

export function emptyRoom(roomId: string, me = ''): RoomState {
  return {
    roomId,
    phase: 'closed',
    me,
    epoch: '',
    messages: [],
    earlier: [],
    fromStart: false,
    jumped: false,
    settledBelow: 0,
    removed: new Set(),
    pending: [],
    members: new Map(),
    names: new Map(),
    typing: [],
    unread: 0,
  };
}

export function sequenceOf(message: ChatMessage): number {
  return Number(message.sequence);
}

/** Where to resume: after the last message that is here. Empty: nothing is here yet, the usual history is wanted. */
export function cursorOf(state: RoomState): string {
  const last = state.messages.at(-1);
  return last ? formatCursor({ epoch: state.epoch, sequence: sequenceOf(last) }) : '';
}

/** The typed messages to show after the log: those that the log does not show already. */
export function visiblePending(state: RoomState): readonly Pending[] {
  return state.pending.filter(
    (one) => one.messageId === undefined || one.state === 'acknowledged' || one.state === 'failed',
  );
}
