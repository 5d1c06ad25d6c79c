/** The parts of discovery.k8s.io/v1 EndpointSlice that are read. Absent `ready` and `serving` mean true. */
export interface EndpointSlice {
  metadata: Metadata;
  addressType: string;
  endpoints?: SliceEndpoint[] | null;
  ports?: SlicePort[] | null;
}

export interface SliceEndpoint {
  addresses: string[];
  conditions?: { ready?: boolean | null; serving?: boolean | null; terminating?: boolean | null };
  hints?: { forZones?: { name: string }[] | null };
  targetRef?: { uid?: string; name?: string };
}

export interface SlicePort {
  name?: string | null;
  port?: number | null;
  protocol?: string | null;
}

/** The parts of parley.dev/v1alpha1 ServiceWeight that are read. */
export interface ServiceWeight {
  metadata: Metadata;
  spec?: { service?: string; port?: string; backends?: BackendWeight[] | null; slowStart?: string };
  status?: { effective?: BackendWeight[] | null; slowStart?: string };
}

export interface BackendWeight {
  service: string;
  weight?: number;
}

export interface Metadata {
  name?: string;
  namespace?: string;
  resourceVersion?: string;
  labels?: Record<string, string>;
}
