import {
  ABORT_ANNOTATION,
  type EffectiveBackend,
  PAUSE_ANNOTATION,
  type RolloutPhase,
  type ServiceWeight,
  type ServiceWeightStatus,
  serviceWeightDefinition,
  serviceWeightSpec,
  validate,
} from '../api/index.ts';
import { type EventText, type Finding, findCondition, ownStatus, setConditions } from '../runtime/index.ts';
import { type EndpointSlice, hasPort, readyEndpoints, type Service } from './endpoints.ts';
import { REASONS, type Verdict } from './reasons.ts';
import { advance, type Health, type RolloutOutcome } from './rollout.ts';
import { atStep, moveToReady, type Share } from './shares.ts';

/** What was gathered about a ServiceWeight. */
export interface Observed {
  services: ReadonlyMap<string, Service>;
  slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  /** What Prometheus says of the rollout's backend, where it is asked. */
  calls: Pick<Health, 'errorRate' | 'unknown'>;
  maxErrorRate: number;
}

export interface Plan {
  status: ServiceWeightStatus;
  events: EventText[];
  againInMs?: number;
}

const STATUS_FIELDS = Object.keys(serviceWeightDefinition.status.properties!);

/** What this operator has said in a status. */
export function saidOf(weight: ServiceWeight): ServiceWeightStatus {
  return ownStatus(weight.status, STATUS_FIELDS, Object.keys(REASONS));
}

/** The status and Events that follow from a resource and the world, now. Pure. */
export function plan(weight: ServiceWeight, observed: Observed, now: Date): Plan {
  const before = saidOf(weight);
  const generation = weight.metadata.generation ?? 0;
  const { problems } = validate(serviceWeightSpec, weight.spec, 'spec');
  if (problems.length > 0) {
    const ready = not('InvalidSpec', problems.join('; '));
    const finding: Finding = { type: 'Ready', ...ready, observedGeneration: generation };
    const conditions = setConditions(before.conditions, [finding], now);
    return withEvents(weight, { ...before, observedGeneration: generation, conditions }, undefined);
  }
  const { spec } = weight;
  const port = spec.port ?? 'grpc';
  const backends: Share[] = spec.backends.map(({ service, weight: share = 1 }) => ({ service, weight: share }));
  const endpoints = new Map(
    backends.map(({ service }) => [service, readyEndpoints(observed.slices.get(service) ?? [], port)]),
  );
  const rollout = spec.rollout && advanceRollout(weight, endpoints.get(spec.rollout.backend) ?? 0, observed, now);
  // A rollout that has not begun or was taken back is as if it were not there.
  const wished = wishedShares(weight, backends, rollout);
  const shares = moveToReady(wished, backends, (service) => (endpoints.get(service) ?? 0) > 0);
  const effective: EffectiveBackend[] = shares.map((share) => ({
    ...share,
    endpoints: endpoints.get(share.service) ?? 0,
  }));
  const findings: Finding[] = [
    { type: 'Ready', ...readiness(weight, observed, port, wished, effective), observedGeneration: generation },
    { type: 'Progressing', ...progress(rollout), observedGeneration: generation },
  ];
  const status: ServiceWeightStatus = {
    observedGeneration: generation,
    conditions: setConditions(before.conditions, findings, now),
    effective,
    ...(spec.slowStart === undefined ? {} : { slowStart: spec.slowStart }),
    ...(rollout === undefined ? {} : { rollout: rollout.status }),
    summary: effective.map(({ service, weight: share }) => `${service}=${share}`).join(' '),
  };
  return withEvents(weight, status, rollout);
}

function advanceRollout(weight: ServiceWeight, ready: number, observed: Observed, now: Date): RolloutOutcome {
  const annotations = weight.metadata.annotations ?? {};
  return advance({
    rollout: weight.spec.rollout!,
    before: weight.status?.rollout,
    lastMessage: findCondition(weight.status?.conditions, 'Progressing')?.message,
    generation: weight.metadata.generation ?? 0,
    paused: annotations[PAUSE_ANNOTATION] === 'true',
    aborted: annotations[ABORT_ANNOTATION] === 'true',
    health: { readyEndpoints: ready, ...observed.calls },
    maxErrorRate: observed.maxErrorRate,
    now,
  });
}

function wishedShares(weight: ServiceWeight, backends: Share[], rollout: RolloutOutcome | undefined): Share[] {
  return rollout?.weight === undefined ? backends : atStep(backends, weight.spec.rollout!.backend, rollout.weight);
}

type NotReady = Verdict<'Ready'> & { status: 'False' };

function not(reason: NotReady['reason'], message: string): NotReady {
  return { status: 'False', reason, message };
}

function readiness(
  { spec }: ServiceWeight,
  { services }: Observed,
  port: string,
  wished: readonly Share[],
  effective: readonly EffectiveBackend[],
): Verdict<'Ready'> {
  const missing = [spec.service, ...spec.backends.map(({ service }) => service)].filter((name) => !services.has(name));
  if (missing.length > 0) return not('ServiceNotFound', `there is no Service ${[...new Set(missing)].join(', ')}`);
  const portless = spec.backends.filter(({ service }) => !hasPort(services.get(service)!, port));
  if (portless.length > 0) {
    return not('PortNotFound', `${portless.map(({ service }) => service).join(', ')} has no port ${port}`);
  }
  if (!effective.some(({ weight, endpoints }) => weight > 0 && endpoints > 0)) {
    return not('NoReadyEndpoints', 'no backend with a weight has ready endpoints; the weights stay as wished');
  }
  const empty = wished.filter(
    ({ service, weight }) => weight > 0 && effective.some((e) => e.service === service && e.endpoints === 0),
  );
  if (empty.length === 0) return { status: 'True', reason: 'Effective', message: '' };
  const names = empty.map(({ service }) => service).join(', ');
  const message = `${names} has no ready endpoints; the others have its weight`;
  return { status: 'True', reason: 'WeightMoved', message };
}

type DistributiveOmit<T, K extends PropertyKey> = T extends unknown ? Omit<T, K> : never;

const PROGRESS: Record<RolloutPhase, DistributiveOmit<Verdict<'Progressing'>, 'message'>> = {
  Pending: { status: 'True', reason: 'RolloutPending' },
  Progressing: { status: 'True', reason: 'RolloutStep' },
  Paused: { status: 'True', reason: 'RolloutPaused' },
  Complete: { status: 'False', reason: 'RolloutComplete' },
  Aborted: { status: 'False', reason: 'RolloutAborted' },
};

function progress(rollout: RolloutOutcome | undefined): Verdict<'Progressing'> {
  if (!rollout) return { status: 'False', reason: 'NoRollout', message: '' };
  return { ...PROGRESS[rollout.status.phase], message: rollout.message };
}

/** An Event for every turn: a step, its end, weight that moved, what keeps it from being ready. */
function withEvents(weight: ServiceWeight, status: ServiceWeightStatus, rollout: RolloutOutcome | undefined): Plan {
  const events: EventText[] = [];
  const before = weight.status;
  const turned = (type: string) => {
    const [was, is] = [before?.conditions, status.conditions].map((list) => list?.find((c) => c.type === type));
    return is && was?.reason !== is.reason ? { was, is } : undefined;
  };
  const ready = turned('Ready');
  if (ready && (ready.was || ready.is.reason !== 'Effective')) {
    const good = ready.is.reason === 'Effective';
    const note = good ? 'Every backend with a weight has ready endpoints.' : ready.is.message;
    events.push({ type: good ? 'Normal' : 'Warning', reason: ready.is.reason, action: 'Weigh', note });
  }
  const [was, is] = [before?.rollout, status.rollout];
  const moved = is && (was?.generation !== is.generation || was?.phase !== is.phase || was?.step !== is.step);
  if (moved && rollout) {
    const { reason } = PROGRESS[is.phase];
    const type = is.phase === 'Aborted' ? 'Warning' : 'Normal';
    events.push({ type, reason, action: 'Shift', note: `${rollout.message}; ${status.summary}` });
  }
  return { status, events, ...(rollout?.againInMs === undefined ? {} : { againInMs: rollout.againInMs }) };
}
