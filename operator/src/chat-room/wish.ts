import type { RoomSpec, RoomSpec__Output } from '@parley/proto/chat/RoomSpec';
import { type ChatRoom, parseDuration, type ResolvedUser } from '../api/index.ts';

const DEFAULT_MESSAGES = 1000;
const DEFAULT_HISTORY = 50;
const DEFAULT_BURST = 10;

/** The names that a room speaks of, each once, whatever else is in it: it may be older than the rules of its definition. */
export function namesIn({ spec }: ChatRoom): string[] {
  const names = [spec?.members, spec?.moderators].flatMap((list) => (Array.isArray(list) ? list : []));
  return [...new Set(names)];
}

/**
 * The room as chat is told it. Defaults are the CRD's, again: an object may be older than they are.
 * @param users who the names are; names that are not in it are left out
 */
export function wishOf(room: ChatRoom, users: readonly ResolvedUser[]): RoomSpec {
  const { spec } = room;
  const ids = new Map(users.map(({ username, id }) => [username, id]));
  const idsOf = (names: string[] = []) => names.flatMap((name) => ids.get(name) ?? []).sort();
  const maxMessages = spec.retention?.maxMessages ?? DEFAULT_MESSAGES;
  const maxAgeMs = spec.retention?.maxAge === undefined ? 0 : (parseDuration(spec.retention.maxAge) ?? 0);
  return {
    display_name: spec.displayName,
    topic: spec.topic ?? '',
    private: spec.visibility === 'private',
    member_ids: idsOf(spec.members),
    moderator_ids: idsOf(spec.moderators),
    max_members: spec.maxMembers ?? 0,
    max_messages: maxMessages,
    max_age_seconds: String(Math.ceil(maxAgeMs / 1000)),
    history_on_join: spec.historyOnJoin ?? Math.min(DEFAULT_HISTORY, maxMessages),
    messages_per_minute: spec.rateLimit?.messagesPerMinute ?? 0,
    burst: spec.rateLimit ? (spec.rateLimit.burst ?? DEFAULT_BURST) : 0,
    welcome_message: spec.welcomeMessage ?? '',
    archived: spec.archived ?? false,
  };
}

/** Which fields of a room are not as wished, by their names in the API. */
export function differences(wish: RoomSpec, actual: RoomSpec__Output | null): string[] {
  if (!actual) return [];
  return (Object.keys(wish) as (keyof RoomSpec & keyof RoomSpec__Output)[]).filter((field) => {
    const [wanted, found] = [wish[field], actual[field]].map((value) =>
      Array.isArray(value) ? [...value].sort() : value,
    );
    return JSON.stringify(wanted) !== JSON.stringify(found);
  });
}
