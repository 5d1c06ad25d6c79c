import type { VerdictOf } from '../runtime/index.ts';

/** Every reason that a ServiceWeight's conditions can have, by condition and status. Words are added, never changed. */
export const REASONS = {
  Ready: {
    True: {
      Effective: 'Every Service is there and every backend with a weight has ready endpoints.',
      WeightMoved: 'A backend has no ready endpoints; the others have its weight.',
    },
    False: {
      InvalidSpec: 'The spec holds a value that this operator does not know or allow; the weights stay as they were.',
      ServiceNotFound: 'A Service that the spec names is not there.',
      PortNotFound: 'A backend has no port of that name.',
      NoReadyEndpoints: 'No backend with a weight has ready endpoints; the weights stay as wished.',
    },
  },
  Progressing: {
    True: {
      RolloutPending: 'The rollout waits for its backend.',
      RolloutStep: 'A step of the rollout is in force.',
      RolloutPaused: 'parley.dev/pause holds the rollout.',
    },
    False: {
      NoRollout: 'The spec has none.',
      RolloutComplete: 'The last step has been taken.',
      RolloutAborted: 'The rollout was taken back.',
    },
  },
} as const;

/** What a condition can say. */
export type Verdict<Type extends keyof typeof REASONS> = VerdictOf<typeof REASONS, Type>;
