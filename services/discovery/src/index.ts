export { type BalancerOptions, balancerName } from './balancer-config.ts';
export { endpoints, type Observed, type Resolution, type WeightedBackend, type WeightedEndpoint } from './endpoints.ts';
export type { EndpointSlice, ServiceWeight } from './kubernetes.ts';
export type { Gauge, Labels, Log, Metrics } from './observe.ts';
export { assertBalancer, type Discovery, type DiscoveryOptions, registerDiscovery } from './register.ts';
export {
  type ClientPolicy,
  channelOptions,
  type MethodPolicy,
  type MethodShape,
  policiesOf,
  serviceConfig,
} from './service-config.ts';
export { parseKubernetesTarget, parseStaticTarget } from './target.ts';
