export { ApiError, isApiError } from './api-error.ts';
export { apply, holds, type Wanted } from './apply.ts';
export { type ApiCall, ApiClient, type ApiClientOptions } from './client.ts';
export {
  type Condition,
  type Finding,
  findCondition,
  kubeTime,
  ownStatus,
  setConditions,
  type VerdictOf,
} from './conditions.ts';
export { Connection } from './connection.ts';
export { type ControllerOptions, type Reconcile, type Result, runController, TerminalError } from './controller.ts';
export { EVENTS, EventRecorder, type EventText } from './events.ts';
export { setFinalizer } from './finalizer.ts';
export { type ElectionOptions, LEASES, LeadershipLost, runElected, seizeLease, type Term } from './leader.ts';
export { failureLevel, type Logger, silent } from './log.ts';
export { createMetrics, type Metrics, type QueueGauges } from './metrics.ts';
export { RetryLimiter, type RetryOptions, TokenBucket } from './rate-limit.ts';
export { type ChangeHandler, Reflector, type ReflectorOptions } from './reflector.ts';
export {
  apiVersionOf,
  collectionPath,
  type KubeObject,
  keyOf,
  type ObjectMeta,
  objectPath,
  type ResourceType,
  splitKey,
} from './resource.ts';
export { type Change, type IndexFunction, Store } from './store.ts';
export { Backoff, monotonicMs, pause } from './timing.ts';
export { WorkQueue } from './workqueue.ts';
export { Written } from './written.ts';
