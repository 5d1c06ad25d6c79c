import type { ChatRoom } from '../api/index.ts';

/** Of the resources that claim a room id, the one that has it: the older; of the same second, by its uid. */
export function winnerOf(claims: readonly ChatRoom[]): ChatRoom | undefined {
  return claims.reduce<ChatRoom | undefined>((best, room) => (best && !isBefore(room, best) ? best : room), undefined);
}

function isBefore(a: ChatRoom, b: ChatRoom): boolean {
  const [at, bt] = [a.metadata.creationTimestamp ?? '', b.metadata.creationTimestamp ?? ''];
  return at === bt ? (a.metadata.uid ?? '') < (b.metadata.uid ?? '') : at < bt;
}

/** `namespace/name`, as messages name a resource. */
export function nameOf(room: { metadata: { namespace?: string; name: string } }): string {
  return `${room.metadata.namespace ?? 'default'}/${room.metadata.name}`;
}
