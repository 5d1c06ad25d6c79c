/** A room's spec as the API has it and as the record has it, what is allowed in it, and its digest. */
import { hash } from 'node:crypto';
import { type FieldViolation, invalidFields } from '@parley/kit';
import type { Owner__Output } from '@parley/proto/chat/Owner';
import type { RoomSpec as ProtoSpec, RoomSpec__Output } from '@parley/proto/chat/RoomSpec';
import { defaultSpec, type Owner, type RoomSpec } from './record.ts';

const mostMembers = 100_000;
const mostMessages = 100_000;
const mostHistory = 1000;

/** @throws AppError INVALID_ARGUMENT that names every field that is wrong. */
export function specFrom(given: RoomSpec__Output | null): RoomSpec {
  if (given === null) throw invalidFields([{ field: 'spec', description: 'is missing; it is required' }]);
  const wrong: FieldViolation[] = [];
  const check = (ok: boolean, field: string, description: string) => {
    if (!ok) wrong.push({ field: `spec.${field}`, description });
  };
  const within = (field: keyof RoomSpec__Output, value: number, most: number) =>
    check(value >= 0 && value <= most, field, `is ${value}; 0 to ${most} are allowed`);
  const text = (field: keyof RoomSpec__Output, value: string, most: number) =>
    check([...value].length <= most, field, `is ${[...value].length} characters; at most ${most} are allowed`);
  const maxAgeSeconds = Number(given.max_age_seconds);
  text('display_name', given.display_name, 80);
  text('topic', given.topic, 1000);
  text('welcome_message', given.welcome_message, 2000);
  within('max_members', given.max_members, mostMembers);
  within('max_messages', given.max_messages, mostMessages);
  within('max_age_seconds', maxAgeSeconds, 315_360_000);
  within('messages_per_minute', given.messages_per_minute, 1_000_000);
  within('burst', given.burst, 1_000_000);
  const historyOnJoin = given.history_on_join ?? defaultSpec.historyOnJoin;
  within('history_on_join', historyOnJoin, mostHistory);
  if (wrong.length > 0) throw invalidFields(wrong);
  return {
    displayName: given.display_name,
    topic: given.topic,
    private: given.private,
    memberIds: [...given.member_ids],
    moderatorIds: [...given.moderator_ids],
    maxMembers: given.max_members,
    maxMessages: given.max_messages || defaultSpec.maxMessages,
    maxAgeSeconds,
    historyOnJoin,
    messagesPerMinute: given.messages_per_minute,
    burst: given.burst,
    welcomeMessage: given.welcome_message,
    archived: given.archived,
  };
}

export function specShown(spec: RoomSpec): ProtoSpec {
  return {
    display_name: spec.displayName,
    topic: spec.topic,
    private: spec.private,
    member_ids: spec.memberIds,
    moderator_ids: spec.moderatorIds,
    max_members: spec.maxMembers,
    max_messages: spec.maxMessages,
    max_age_seconds: spec.maxAgeSeconds,
    history_on_join: spec.historyOnJoin,
    messages_per_minute: spec.messagesPerMinute,
    burst: spec.burst,
    welcome_message: spec.welcomeMessage,
    archived: spec.archived,
  };
}

export function ownerFrom(given: Owner__Output | null): Owner | undefined {
  return given === null || given.uid === '' ? undefined : { ...given };
}

/** A hash of spec and owner: equal digests mean an equal room. The order of members does not matter. */
export function digestOf(spec: RoomSpec, owner: Owner | undefined): string {
  const keys = Object.keys(defaultSpec).sort() as (keyof RoomSpec)[];
  const canonical = keys.map((key) => {
    const value = spec[key];
    return [key, Array.isArray(value) ? [...value].sort() : value];
  });
  const whose = owner && [owner.namespace, owner.name, owner.uid, owner.generation];
  return hash('sha256', JSON.stringify([canonical, whose ?? null]), 'hex').slice(0, 32);
}
