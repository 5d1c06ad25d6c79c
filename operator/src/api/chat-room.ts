import type { Condition, KubeObject, ObjectMeta } from '../runtime/index.ts';
import type { ResourceType } from '../runtime/resource.ts';

/** A chat room as a resource. The fields are described in its CRD, chat-room-crd.ts. */
export interface ChatRoom extends KubeObject {
  metadata: ObjectMeta;
  spec: ChatRoomSpec;
  status?: ChatRoomStatus;
}

export interface ChatRoomSpec {
  roomId?: string;
  displayName: string;
  topic?: string;
  visibility?: 'public' | 'private';
  members?: string[];
  moderators?: string[];
  maxMembers?: number;
  retention?: { maxMessages?: number; maxAge?: string };
  historyOnJoin?: number;
  rateLimit?: { messagesPerMinute: number; burst?: number };
  welcomeMessage?: string;
  archived?: boolean;
  deletionPolicy?: 'Retain' | 'Delete';
}

export interface ChatRoomStatus {
  roomId?: string;
  observedGeneration?: number;
  conditions?: Condition[];
  members?: number;
  messages?: number;
  lastMessageTime?: string;
  digest?: string;
  lastDriftTime?: string;
  users?: ResolvedUser[];
}

/** Who a name was when it was first applied. */
export interface ResolvedUser {
  username: string;
  id: string;
}

export const CHAT_ROOMS: ResourceType = {
  group: 'parley.dev',
  version: 'v1alpha1',
  kind: 'ChatRoom',
  plural: 'chatrooms',
  namespaced: true,
};

/** Held while chat has a room for the resource. */
export const ROOM_FINALIZER = 'parley.dev/room';

/** The id of the room that a resource claims, whatever else is in it: it may be older than the rules of its definition. */
export function roomIdOf({ spec, metadata }: ChatRoom): string {
  return typeof spec?.roomId === 'string' && spec.roomId !== '' ? spec.roomId : metadata.name;
}
