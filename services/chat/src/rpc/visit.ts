/** How a member comes into a room, whichever way he reads it: may he, is it full, is he there already. */
import type { CallContext } from '@parley/kit';
import type { Use } from '../delivery/feeds.ts';
import type { Position } from '../log/log.ts';
import { identify, type Named, self } from '../people/identify.ts';
import { type Actor, whyNotRead } from '../rooms/access.ts';
import { checkNames, checkRoomId } from '../rooms/rules.ts';
import type { ChatParts } from './parts.ts';

export interface Visit extends Use {
  actor: Actor;
  /** Where his JOIN is, if he was not there before. */
  joined: Position | undefined;
  /** Lets go of the room: his LEAVE follows when no stream of his is left. */
  leave(): void;
}

export interface VisitWish extends Named {
  room_id: string;
  observe: boolean;
}

/**
 * Brings a caller, or whom a service names, into a room.
 * @throws AppError INVALID_ARGUMENT, UNAUTHENTICATED, PERMISSION_DENIED, NOT_FOUND, RESOURCE_EXHAUSTED.
 */
export async function visit(
  parts: ChatParts,
  wish: VisitWish,
  context: Pick<CallContext, 'caller' | 'peer'>,
): Promise<Visit> {
  const { rooms, feeds, presences, limits } = parts;
  const { caller } = context;
  const { room_id: roomId, observe } = wish;
  checkRoomId(roomId);
  const looksOnly = observe && wish.user_id === '';
  if (caller.kind === 'guest' && !looksOnly) checkNames({ user_id: wish.user_id, username: wish.username });
  if (caller.kind === 'guest') limits.addresses.take(hostOf(context.peer));
  const actor = looksOnly ? self(caller) : await identify(parts.guests, caller, wish);
  if (actor.userId !== '' && caller.kind !== 'service') limits.joins.take(actor.userId);
  const record = await rooms.open(roomId);
  const unreadable = whyNotRead(record, actor);
  if (unreadable) throw unreadable;
  const use = await feeds.use(roomId);
  const { feed } = use;
  try {
    if (observe) return { ...use, actor, joined: undefined, leave: use.release };
    const { maxMembers } = feed.record.spec;
    const capacity = maxMembers > 0 && actor.standing !== 'privileged' ? maxMembers : undefined;
    const member = { userId: actor.userId, username: actor.username };
    const joined = await presences.enter(roomId, member, capacity);
    const leave = () => {
      presences.leave(roomId, actor.userId);
      use.release();
    };
    if (joined === undefined) return { ...use, actor, joined, leave };
    try {
      await feed.reach(joined);
    } catch (error) {
      presences.leave(roomId, actor.userId);
      throw error;
    }
    return { ...use, actor, joined, leave };
  } catch (error) {
    use.release();
    throw error;
  }
}

const hostOf = (peer: string) => peer.replace(/:\d+$/, '');
