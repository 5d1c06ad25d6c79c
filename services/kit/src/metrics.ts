/** Prometheus metrics. The gRPC ones are named as go-grpc-middleware names them, so that dashboards people have work. */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

export { Counter, Gauge, Histogram, Registry } from 'prom-client';

const latencyBuckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

export type RpcKind = 'unary' | 'client_stream' | 'server_stream' | 'bidi_stream';

/** The metrics of one process: a registry, and what the gRPC server and client count in it. */
export class Metrics {
  readonly registry = new Registry();
  readonly #server = new RpcMetrics('server', this.registry);
  readonly #client = new RpcMetrics('client', this.registry);

  constructor(options: { processMetrics?: boolean } = {}) {
    if (!options.processMetrics) return;
    // How late the event loop is, asked ten times a second: a hundred times is most of what an idle process does.
    collectDefaultMetrics({ register: this.registry, eventLoopMonitoringPrecision: 100 });
  }

  server(service: string, method: string, kind: RpcKind): RpcMethodMetrics {
    return this.#server.method(service, method, kind);
  }

  client(service: string, method: string, kind: RpcKind): RpcMethodMetrics {
    return this.#client.method(service, method, kind);
  }

  counter<L extends string>(name: string, help: string, labelNames: L[] = []): Counter<L> {
    return new Counter({ name, help, labelNames, registers: [this.registry] });
  }

  gauge<L extends string>(
    name: string,
    help: string,
    labelNames: L[] = [],
    collect?: (this: Gauge<L>) => void,
  ): Gauge<L> {
    return new Gauge({ name, help, labelNames, registers: [this.registry], collect });
  }

  histogram<L extends string>(
    name: string,
    help: string,
    labelNames: L[] = [],
    buckets = latencyBuckets,
  ): Histogram<L> {
    return new Histogram({ name, help, labelNames, buckets, registers: [this.registry] });
  }
}

/** What is counted for one method; labels are looked up once, not per call. */
export interface RpcMethodMetrics {
  started(): void;
  handled(code: string, seconds: number): void;
}

class RpcMetrics {
  readonly #started: Counter<'grpc_type' | 'grpc_service' | 'grpc_method'>;
  readonly #handled: Counter<'grpc_type' | 'grpc_service' | 'grpc_method' | 'grpc_code'>;
  readonly #seconds: Histogram<'grpc_type' | 'grpc_service' | 'grpc_method'>;

  constructor(side: 'server' | 'client', registry: Registry) {
    const labelNames = ['grpc_type', 'grpc_service', 'grpc_method'] as const;
    const registers = [registry];
    const did = side === 'server' ? 'on the server' : 'by the client';
    this.#started = new Counter({
      name: `grpc_${side}_started_total`,
      help: `RPCs started ${did}.`,
      labelNames,
      registers,
    });
    this.#handled = new Counter({
      name: `grpc_${side}_handled_total`,
      help: `RPCs completed ${did}, whatever their code.`,
      labelNames: [...labelNames, 'grpc_code'],
      registers,
    });
    this.#seconds = new Histogram({
      name: `grpc_${side}_handling_seconds`,
      help: `Seconds that RPCs took ${did}.`,
      labelNames,
      buckets: latencyBuckets,
      registers,
    });
  }

  method(service: string, method: string, kind: RpcKind): RpcMethodMetrics {
    const labels = { grpc_type: kind, grpc_service: service, grpc_method: method };
    const [started, seconds] = [this.#started.labels(labels), this.#seconds.labels(labels)];
    const byCode = new Map<string, Counter.Internal>();
    return {
      started: () => started.inc(),
      handled: (code, took) => {
        let counter = byCode.get(code);
        if (counter === undefined) {
          counter = this.#handled.labels({ ...labels, grpc_code: code });
          byCode.set(code, counter);
        }
        counter.inc();
        seconds.observe(took);
      },
    };
  }
}
