import { experimental } from '@grpc/grpc-js';
import type { KubeConfig } from '@kubernetes/client-node';
import { weightedBalancer } from './balancer.ts';
import { BalancerConfig, balancerName } from './balancer-config.ts';
import { Directory } from './directory.ts';
import { kubernetesResolver } from './kubernetes-resolver.ts';
import type { Log, Metrics } from './observe.ts';
import type { Timing } from './reflector.ts';
import { StaticResolver } from './static-resolver.ts';

export interface DiscoveryOptions {
  log?: Log;
  metrics?: Metrics;
  /** Where the API server is; by default the pod's service account, or the kubeconfig that kubectl would use. */
  kubeConfig?: KubeConfig;
  /** The zone this process runs in (topology.kubernetes.io/zone of its node); without it zone hints are ignored. */
  zone?: string;
  /** For tests. */
  timing?: Partial<Timing>;
}

/** What a registration gives back. */
export interface Discovery {
  /** Ends all watches; channels keep the endpoints that they have. */
  close(): void;
}

/**
 * Registers the resolvers `k8s:///` and `static:///` and the balancer `parley_weighted` with grpc-js, for the process.
 * Channels use the balancer when their service config names it: see `channelOptions`. Nothing is contacted until the
 * first k8s:/// channel is used. Registering again replaces the resolvers for channels made from then on.
 * @throws Error when grpc-js does not take the balancer (it would silently use pick_first instead)
 */
export function registerDiscovery(options: DiscoveryOptions = {}): Discovery {
  const { log, metrics, zone, timing } = options;
  const directory = new Directory({
    kubeConfig: () => options.kubeConfig ?? defaultKubeConfig(),
    ...(zone !== undefined && { zone }),
    ...(log && { log }),
    ...(metrics && { metrics }),
    ...(timing && { timing }),
  });
  experimental.registerLoadBalancerType(balancerName, weightedBalancer(log, metrics), BalancerConfig);
  experimental.registerResolver('k8s', kubernetesResolver(directory));
  experimental.registerResolver('static', StaticResolver);
  assertBalancer({ [balancerName]: {} });
  return { close: () => directory.close() };
}

/** @throws Error when grpc-js would not use this balancer config but pick_first, as it does without a word */
export function assertBalancer(config: Record<string, object>): void {
  const parsed = experimental.parseLoadBalancingConfig(config);
  if (parsed instanceof BalancerConfig) return;
  throw new Error(`the balancer config ${JSON.stringify(config)} is not ${balancerName}`);
}

async function defaultKubeConfig(): Promise<KubeConfig> {
  // Loaded late: a process without k8s:/// targets does not pay for the client's 20 MB.
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  config.loadFromDefault();
  return config;
}
