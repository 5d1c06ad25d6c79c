import type { KubeObject } from '../runtime/index.ts';
import type { ResourceType } from '../runtime/resource.ts';

export const ENDPOINT_SLICES: ResourceType = {
  group: 'discovery.k8s.io',
  version: 'v1',
  kind: 'EndpointSlice',
  plural: 'endpointslices',
  namespaced: true,
};

export const SERVICES: ResourceType = {
  group: '',
  version: 'v1',
  kind: 'Service',
  plural: 'services',
  namespaced: true,
};

/** The label by which a slice says whose it is. */
export const SERVICE_LABEL = 'kubernetes.io/service-name';

interface Endpoint {
  addresses: string[];
  conditions?: { ready?: boolean; terminating?: boolean };
  /** The pod; absent in slices that people write. */
  targetRef?: { uid?: string };
}

export interface EndpointSlice extends KubeObject {
  /** Null, as are the ports, where the Service has no pods. */
  endpoints?: Endpoint[] | null;
  ports?: { name?: string; port?: number }[] | null;
}

export interface Service extends KubeObject {
  spec?: { ports?: { name?: string; port: number; targetPort?: number | string }[] };
}

/**
 * How many endpoints of a Service are ready on a port: over all of its slices, each pod once, which has an address in
 * each family's. An endpoint that says nothing is ready; one that is terminating is not.
 * @param port a port's name, or the pods' number as text
 */
export function readyEndpoints(slices: readonly EndpointSlice[], port: string): number {
  const ready = new Set<string>();
  for (const { endpoints, ports } of slices) {
    if (!ports?.some(({ name, port: number }) => name === port || String(number) === port)) continue;
    for (const { addresses, conditions, targetRef } of endpoints ?? []) {
      if (!addresses[0] || !(conditions?.ready ?? true) || conditions?.terminating) continue;
      ready.add(targetRef?.uid ?? addresses[0]);
    }
  }
  return ready.size;
}

/**
 * Has a Service this port, by name or by the pods' number? That is what slices and clients go by; a Service that names its
 * pods' port says no number.
 */
export function hasPort(service: Service, port: string): boolean {
  return (service.spec?.ports ?? []).some(({ name, port: own, targetPort = own }) => {
    const number = targetPort || own;
    return name === port || (typeof number === 'string' ? /^\d+$/.test(port) : String(number) === port);
  });
}
