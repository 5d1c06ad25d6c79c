import type { EndpointSlice, ServiceWeight } from './kubernetes.ts';
import { rampWeight, untilNextStep } from './ramp.ts';
import { endpointsOf, type FoundEndpoint } from './slices.ts';
import { split } from './weights.ts';

/** An endpoint and its share, from 1 to 10, of its backend's calls. */
export interface WeightedEndpoint extends FoundEndpoint {
  weight: number;
}

/** A backend, its share of all calls, and its endpoints. */
export interface WeightedBackend {
  name: string;
  weight: number;
  endpoints: WeightedEndpoint[];
}

/** What is known about a name that clients dial. */
export interface Observed {
  service: string;
  /** A port's name or number; undefined for the ServiceWeight's, or else the only one or the one named grpc. */
  port?: string | number | undefined;
  /** The caller's zone, for topology hints. */
  zone?: string | undefined;
  /** The EndpointSlices by the name of their Service; a Service without any is unknown. */
  slices: ReadonlyMap<string, readonly EndpointSlice[]>;
  /** Since when each endpoint has been there, by id, for slow start; one that is not in it is as old as can be. */
  since?: ReadonlyMap<string, number>;
}

export interface Resolution {
  /** Backends that have a weight and an endpoint; empty when there is nothing to call. */
  backends: WeightedBackend[];
  /** What was ignored or is missing, in words for a log or an error. */
  problems: string[];
  /** In how many milliseconds slow start will have changed a weight; undefined when it will not. */
  changesInMs: number | undefined;
}

/** A ServiceWeight's port: a name, or a number, which the resource has as text. */
function portOf(weight: ServiceWeight | undefined): string | number | undefined {
  const port: unknown = weight?.spec?.port;
  // What is no text is nothing that the API server would have let in.
  if (typeof port !== 'string') return undefined;
  return /^\d+$/.test(port) ? Number(port) : port;
}

/**
 * The pure core: who is called, and how often, given what the API server said and the time in milliseconds. It has no
 * state and no clock of its own, so every rule of it can be tested by example and by property.
 */
export function endpoints(observed: Observed, weight: ServiceWeight | undefined, now: number): Resolution {
  const { service, slices, zone } = observed;
  const port = observed.port ?? portOf(weight);
  const { backends: shares, slowStartMs, problems } = split(weight);
  const known = shares.filter((share) => (slices.get(share.service)?.length ?? 0) > 0);
  for (const share of shares) {
    if (!known.includes(share)) problems.push(`backend ${share.service} is ignored: it has no EndpointSlices`);
  }
  // With none of its backends there, the Service itself is the best guess; with one there, its weight is to be obeyed.
  const targets = known.length > 0 ? known : [{ service, weight: 1 }];
  const backends: WeightedBackend[] = [];
  let changesInMs: number | undefined;
  for (const target of targets) {
    if (target.weight === 0) continue;
    const found = endpointsOf(target.service, slices.get(target.service) ?? [], port, zone);
    problems.push(...found.problems);
    if (found.endpoints.length === 0) continue;
    const weighted = found.endpoints.map((endpoint) => {
      const age = now - (observed.since?.get(endpoint.id) ?? Number.NEGATIVE_INFINITY);
      const next = untilNextStep(age, slowStartMs);
      if (next !== undefined) changesInMs = Math.min(next, changesInMs ?? next);
      return { ...endpoint, weight: rampWeight(age, slowStartMs) };
    });
    backends.push({ name: target.service, weight: target.weight, endpoints: weighted });
  }
  return { backends, problems, changesInMs };
}
