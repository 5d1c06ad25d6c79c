import type { Owner, Owner__Output } from '@parley/proto/chat/Owner';
import type { ChatRoom } from '../api/index.ts';
import type { Store } from '../runtime/index.ts';

/** A resource as chat remembers who a room belongs to. */
export function ownerOf({ metadata }: ChatRoom): Owner & { namespace: string; name: string; uid: string } {
  return {
    namespace: metadata.namespace ?? '',
    name: metadata.name,
    uid: metadata.uid ?? '',
    generation: String(metadata.generation ?? 0),
  };
}

/**
 * Is the owner that chat names there no more? One with this resource's own name and another uid is its predecessor; one
 * in a namespace that is watched is gone when it is not in the store. Of others nothing is known.
 */
export function isGone(
  owner: Owner__Output,
  room: ChatRoom,
  rooms: Store<ChatRoom>,
  watches: (namespace: string) => boolean,
): boolean {
  if (owner.uid === room.metadata.uid) return false;
  if (owner.namespace === room.metadata.namespace && owner.name === room.metadata.name) return true;
  return watches(owner.namespace) && rooms.get(`${owner.namespace}/${owner.name}`)?.metadata.uid !== owner.uid;
}
