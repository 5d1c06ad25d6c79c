import type { Condition, KubeObject, ObjectMeta } from '../runtime/index.ts';
import type { ResourceType } from '../runtime/resource.ts';

/** How much of a Service's traffic goes where. The fields are described in its CRD, service-weight-crd.ts. */
export interface ServiceWeight extends KubeObject {
  metadata: ObjectMeta;
  spec: ServiceWeightSpec;
  status?: ServiceWeightStatus;
}

export interface Backend {
  service: string;
  /** 1 by default. */
  weight?: number;
}

export interface RolloutStep {
  /** The backend's weight of 100. */
  weight: number;
  /** How long the step lasts at least; a duration. */
  pause?: string;
}

export interface ServiceWeightSpec {
  service: string;
  port?: string;
  backends: Backend[];
  slowStart?: string;
  rollout?: { backend: string; steps: RolloutStep[] };
}

export type RolloutPhase = 'Pending' | 'Progressing' | 'Paused' | 'Complete' | 'Aborted';

export interface RolloutStatus {
  /** The step in force, counted from 1; 0 before the first and after an abort. */
  step: number;
  phase: RolloutPhase;
  /** The metadata.generation that this rollout is for: another starts it anew. */
  generation?: number;
  /** When the step, or the pause, began. */
  since?: string;
  /** Since when the backend has been unhealthy. */
  unhealthySince?: string;
}

export interface EffectiveBackend {
  service: string;
  weight: number;
  /** Ready endpoints. */
  endpoints: number;
}

export interface ServiceWeightStatus {
  observedGeneration?: number;
  conditions?: Condition[];
  effective?: EffectiveBackend[];
  slowStart?: string;
  rollout?: RolloutStatus;
  summary?: string;
}

export const SERVICE_WEIGHTS: ResourceType = {
  group: 'parley.dev',
  version: 'v1alpha1',
  kind: 'ServiceWeight',
  plural: 'serviceweights',
  namespaced: true,
};

/** `"true"` holds a rollout where it is. */
export const PAUSE_ANNOTATION = 'parley.dev/pause';
/** `"true"` ends a rollout and returns to `spec.backends`. */
export const ABORT_ANNOTATION = 'parley.dev/abort';
