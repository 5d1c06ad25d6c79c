/** The names that the log has in Redis. All of a room have one hash tag, so that they are on one node of a cluster. */
import type { Draft } from '../log.ts';

export const roomKey = (roomId: string) => `chat:{${roomId}}`;
export const channelOf = (roomId: string) => `chat:{${roomId}}:live`;
export const roomOf = (channel: string) => channel.slice(6, -6);
export const leases = ['parley:{pods}:leases', 'parley:{pods}:streams'];
export const roomsOf = (pod: string) => `parley:{pods}:rooms:${pod}`;
export const roomIndex = 'parley:rooms';
export const roomsChannel = 'parley:rooms:changed';
export const marksOf = (userId: string) => `parley:read:${userId}`;

const parts = ['texts', 'notices', 'keys', 'keyq', 'members'];

/**
 * All keys of a room that a script may touch, its hash first. A cluster has to know them: while a slot is being moved, some
 * are here and some there, and a script that finds so midway has done half of its work. So it is refused at its start.
 */
export function keysOf(roomId: string): string[] {
  const key = roomKey(roomId);
  return [key, ...parts.map((part) => `${key}:${part}`)];
}

/** Those of a step, which also has the pod's last one and the rates of its senders. */
export function keysOfStep(roomId: string, writer: string, drafts: Draft[]): string[] {
  const key = roomKey(roomId);
  const limited = new Set(drafts.filter(({ rate }) => rate !== undefined).map(({ senderId }) => senderId));
  return [...keysOf(roomId), `${key}:step:${writer}`, ...[...limited].map((sender) => `${key}:rate:${sender}`)];
}
