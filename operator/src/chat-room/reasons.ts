import type { VerdictOf } from '../runtime/index.ts';

/**
 * Every reason that a ChatRoom's conditions can have, by condition and status. This is the list that users program
 * against: words are added, never changed.
 */
export const REASONS = {
  Ready: {
    True: {
      Applied: 'The room is as the spec says.',
    },
    False: {
      InvalidSpec: 'The spec holds a value that this operator does not know or allow; nothing was changed.',
      RoomIdTaken: 'The room belongs to an older resource, or to one elsewhere.',
      Rejected: 'The chat service refused the spec.',
      NotAllowed: 'The chat service does not take the operator for a service: its token or its role.',
    },
    Unknown: {
      ChatUnavailable: 'The chat service cannot be reached; what there is to do is tried again.',
      UsersUnavailable: 'The user service cannot be reached, and there are names to look up first.',
    },
  },
  MembersResolved: {
    True: {
      AllKnown: 'Every name in members and moderators is a user.',
    },
    False: {
      UnknownUsers: 'Nobody has the names that the message lists. They are looked up again every minute.',
    },
    Unknown: {
      UsersUnavailable: 'The user service cannot be reached.',
    },
  },
  Drifted: {
    True: {
      PutRight: 'The room was changed behind this resource within the last minutes, and has been put right.',
    },
    False: {
      InSync: 'The room is as it was last applied.',
    },
  },
} as const;

/** What a condition can say. */
export type Verdict<Type extends keyof typeof REASONS> = VerdictOf<typeof REASONS, Type>;
