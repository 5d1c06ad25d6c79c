import type { ReadinessCheck } from './operations.ts';
import type { ServedService } from './rpc/implementation.ts';

/** A service of ours as the platform runs it: built from its parts, served on a gRPC port, drained and disposed of. */
export interface Service extends AsyncDisposable {
  /** What it serves over gRPC. */
  rpc: ServedService[];
  /** What must be well before it gets traffic. */
  checks: ReadinessCheck[];
  /** Called first on SIGTERM, before the gRPC server drains: stop background work, end streams with their cursors. */
  drain?(): Promise<void>;
}
