/**
 * A room is a log. This is the interface behind which it lives, in Redis or in PostgreSQL; one suite of tests holds both.
 *
 * What is decided (who may, how often, what a room allows) is decided in rooms/, by pure functions over the room's record;
 * the log makes it atomic: a step carries the version of the record that the decision was made with, and a step whose
 * version is old changes nothing and says so.
 */
import type { AppError } from '@parley/kit';
import type { RoomRecord } from '../rooms/record.ts';

/** A place in a room's log. Written as a cursor: `<epoch>-<sequence>`. */
export interface Position {
  /** `[a-z0-9]{1,16}`; another epoch is another log: what was in the earlier one is lost. */
  epoch: string;
  /** 1, 2, 3 and so on, without gaps; 0 is before the first message. */
  sequence: number;
}

export type EntryType = 'TEXT' | 'JOIN' | 'LEAVE' | 'SYSTEM' | 'REMOVED';

/** What a pod wants in the log. */
export interface Draft {
  /** The message's id, made by the pod: unique, sorts by time. */
  id: string;
  type: EntryType;
  senderId: string;
  /** The ChatMessage as protobuf without timestamp, sequence and epoch, which the step adds (see codec.ts). */
  body: Buffer;
  /** With a hash of what was sent, so that a key with other content is refused. */
  idempotency?: { key: string; contentHash: string };
  /** The sender's rate limit, checked in the step (GCRA); absent: none. */
  rate?: { perMinute: number; burst: number };
}

/** A message in the log. */
export interface Entry {
  sequence: number;
  type: EntryType;
  id: string;
  senderId: string;
  /** Milliseconds since 1970, by the log's clock; never goes back within a room. */
  timestampMs: number;
  /** The whole ChatMessage as protobuf. Encoded once; handed to every subscriber. */
  bytes: Buffer;
}

/** What became of a draft. */
export type Outcome =
  | { kind: 'appended' | 'duplicate'; id: string; position: Position; timestampMs: number }
  /** KEY_REUSED is ALREADY_EXISTS; a rate limit RESOURCE_EXHAUSTED with retryAfterMs. The other drafts of the step are not touched. */
  | { kind: 'refused'; error: AppError };

/** The answer to a step. `stale`: the record has another version, nothing was written; decide again with this one. */
export type Appended =
  | { kind: 'done'; outcomes: Outcome[] }
  | { kind: 'stale'; record: RoomRecord }
  | { kind: 'no-room' };

export type Lost = 'EPOCH_CHANGED' | 'TRIMMED';

/** A piece of the log, oldest first. */
export interface Slice {
  /** The newest position; sequence 0 in an empty log. */
  head: Position;
  entries: Entry[];
  /** The position asked for is not in this log any more; `entries` then begin with what is kept. */
  lost?: Lost;
  /** There is more after the last entry. */
  more: boolean;
  /** The highest sequence of a TEXT, SYSTEM or REMOVED message that is not kept any more; notices from before may be. */
  trimmed: number;
}

/** What a room's followers hear. */
export type Announcement =
  /** New entries, consecutive; a jump from what one has means that something was missed: read the log. */
  | { kind: 'entries'; epoch: string; entries: Entry[] }
  /** The room's record has changed to this version, or the room was deleted (0). */
  | { kind: 'record'; version: number }
  /** A member was sent away: end his streams. */
  | { kind: 'member-removed'; userId: string }
  | { kind: 'typing'; userId: string; username: string }
  /** Announcements may have been missed (a connection broke): read the log from what one has, and the record. */
  | { kind: 'uncertain' };

export interface Member {
  userId: string;
  username: string;
}

/** A room as lists and the operator see it. */
export interface RoomSummary {
  record: RoomRecord;
  head: Position;
  members: number;
  /** TEXT and SYSTEM messages that are kept. */
  messages: number;
  lastMessageTimeMs: number | undefined;
}

export interface ReadMark {
  position: Position;
  /** TEXT and SYSTEM messages after the mark that the room keeps. */
  unread: number;
}

/**
 * Where rooms, their messages and who is in them are kept, shared by any number of pods.
 * Every method throws AppError UNAVAILABLE with retryAfterMs while the store is away, and does so fast.
 */
export interface ChatLog extends AsyncDisposable {
  /**
   * One atomic step: compares the record's version, answers repeated keys, checks rates, numbers, appends, trims, announces.
   * Drafts keep their order. `seen` is the highest position that this pod has seen of the room: a log that is behind it has
   * lost its tail, and starts a new epoch before anything else happens. So it does before a JOIN or a LEAVE is written.
   */
  append(roomId: string, recordVersion: number, drafts: Draft[], seen?: Position): Promise<Appended>;
  /** What comes after a position, at most `limit`. */
  read(roomId: string, after: Position, limit: number): Promise<Slice>;
  /** The newest `texts` TEXT and SYSTEM messages and the notices among them. */
  tail(roomId: string, texts: number): Promise<Slice>;
  /** Blanks a message: same sequence, empty content (the old text is gone from the store). False when it is not kept. */
  blank(roomId: string, messageId: string): Promise<boolean>;
  /** Finds a kept message by its id. */
  find(roomId: string, messageId: string): Promise<Entry | undefined>;

  /** Calls the listener from now on; resolves when it is certain that nothing from now on is missed silently. */
  follow(roomId: string, listener: (announcement: Announcement) => void): Promise<AsyncDisposable>;
  /** Tells a room's followers something that is not kept: typing, a member sent away. */
  signal(roomId: string, announcement: Extract<Announcement, { kind: 'typing' | 'member-removed' }>): Promise<void>;

  room(roomId: string): Promise<RoomRecord | undefined>;
  /**
   * Writes the record if its version is still `expected` (0: absent), and announces it. Its version is one above both its
   * own and the expected one. The new record, or the one that is there.
   */
  putRoom(record: RoomRecord, expected: number): Promise<{ written: boolean; record: RoomRecord | undefined }>;
  /** Deletes the room; its history too unless it is to be kept (a room of that id made later has it then). */
  deleteRoom(roomId: string, expected: number, keepHistory: boolean): Promise<boolean>;
  /** Rooms by id, after `afterId`, at most `limit`: cheap with 10,000 of them. */
  rooms(afterId: string, limit: number): Promise<RoomSummary[]>;
  summaries(roomIds: string[]): Promise<RoomSummary[]>;
  /** Tells of rooms whose record, members or messages have changed (batched, at most once a second and room); `undefined`: look at all again. */
  followRooms(listener: (roomIds: string[] | undefined) => void): Promise<AsyncDisposable>;

  /**
   * This pod has a stream of the member. He is present while any pod says so. `notice` (his JOIN) is appended when he was
   * absent, in the same step. `capacity`: how many members there may be; undefined: any number.
   */
  enter(
    roomId: string,
    member: Member,
    notice: Draft,
    capacity?: number,
    seen?: Position,
  ): Promise<{ joined: boolean; outcome?: Outcome; full?: boolean }>;
  /** This pod has no stream of the member any more. `notice` (his LEAVE) is appended when no other pod has one either. */
  leave(roomId: string, userId: string, notice: Draft, seen?: Position): Promise<{ left: boolean }>;
  members(roomId: string): Promise<Member[]>;
  /**
   * Renews this pod's lease (12 s). A pod without one has no members. `final`: the pod goes; its members have 5 s to turn up elsewhere.
   * `streams`: how many streams this pod serves, for `loads`. `lapsed`: the lease had ended (a pause, a cut, an emptied
   * store) and another has begun: enter every member again.
   */
  renewLease(final?: boolean, streams?: number): Promise<{ lapsed: boolean }>;
  /** The streams of every pod that has a lease, by pod id, as they were said with it: who has more than his share moves some. */
  loads(): Promise<Map<string, number>>;
  /**
   * Takes the members of pods whose lease has ended out of their rooms; `notice` makes the LEAVE of each, `seen` says what
   * this pod has seen of a room. Any number of pods may call it.
   */
  sweep(
    notice: (roomId: string, member: Member) => Draft,
    seen?: (roomId: string) => Position | undefined,
  ): Promise<void>;

  markRead(userId: string, roomId: string, position: Position): Promise<void>;
  readMarks(userId: string, roomIds: string[]): Promise<Map<string, ReadMark>>;

  /** For readiness. */
  check(): Promise<void>;
}
