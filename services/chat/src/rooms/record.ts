/** A room's record: what it allows, whose it is, who was muted or sent away. Kept as JSON, changed by compare-and-swap. */

export interface RoomSpec {
  displayName: string;
  topic: string;
  private: boolean;
  memberIds: string[];
  moderatorIds: string[];
  /** 0: no limit. */
  maxMembers: number;
  maxMessages: number;
  /** 0: for ever. */
  maxAgeSeconds: number;
  historyOnJoin: number;
  /** 0: no limit. */
  messagesPerMinute: number;
  burst: number;
  welcomeMessage: string;
  archived: boolean;
}

export interface Owner {
  namespace: string;
  name: string;
  uid: string;
  generation: string;
}

export interface RoomRecord {
  roomId: string;
  /** Counts the changes of this record, from 1. */
  version: number;
  createdAtMs: number;
  spec: RoomSpec;
  owner?: Owner;
  /** The highest fence that wrote this room. */
  fence: number;
  /** User id to the end of his mute, in milliseconds since 1970. */
  mutedUntilMs: Record<string, number>;
  /** Who was sent away and may not come back (by user id, with when). */
  removed: Record<string, number>;
}

export const defaultSpec: RoomSpec = {
  displayName: '',
  topic: '',
  private: false,
  memberIds: [],
  moderatorIds: [],
  maxMembers: 0,
  maxMessages: 1000,
  maxAgeSeconds: 0,
  historyOnJoin: 50,
  messagesPerMinute: 0,
  burst: 0,
  welcomeMessage: '',
  archived: false,
};
