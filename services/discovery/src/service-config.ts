import type { ChannelOptions } from '@grpc/grpc-js';
import { BalancerConfig, type BalancerOptions } from './balancer-config.ts';

/** What the service config has to know of a method. */
export interface MethodPolicy {
  /** As in a generated definition: /package.Service/Method. */
  path: string;
  /** The proto says idempotency_level NO_SIDE_EFFECTS or IDEMPOTENT. Only then is it retried. */
  idempotent: boolean;
  /** Streams have no deadline of their own. */
  stream?: boolean;
  /** Instead of the general deadline. */
  timeoutMs?: number;
}

export interface ClientPolicy {
  methods: readonly MethodPolicy[];
  /** The deadline of unary calls whose caller sets none; an earlier one of the caller holds. Default 10 s. */
  timeoutMs?: number;
  /** Attempts in all, of an idempotent method that is answered UNAVAILABLE. Default 4, at most 5. */
  maxAttempts?: number;
  balancer?: Partial<BalancerOptions>;
}

/** A method as @grpc/proto-loader and grpc-js define it. */
export interface MethodShape {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  options?: { idempotency_level?: string } | undefined;
}

/** Reads the policies of a service's methods from its definition (proto-loader's `options` has the level). */
export function policiesOf(service: Record<string, MethodShape>): MethodPolicy[] {
  return Object.values(service).map(({ path, requestStream, responseStream, options }) => ({
    path,
    idempotent: options?.idempotency_level === 'NO_SIDE_EFFECTS' || options?.idempotency_level === 'IDEMPOTENT',
    stream: requestStream || responseStream,
  }));
}

/**
 * The service config, as JSON for `grpc.service_config`: the balancer, a deadline for unary calls, and retries for
 * idempotent methods answered UNAVAILABLE, with a budget: when about one call in ten fails, retrying stops until it is
 * better, so that retries never finish off a service that is overloaded.
 * (Durations are objects: grpc-js reads the string 1.5s as 1 s and 5 ns.)
 * @throws Error for balancer settings that are not allowed, which grpc-js would answer with pick_first and no word
 */
export function serviceConfig(policy: ClientPolicy): string {
  const { methods, timeoutMs = 10_000, maxAttempts = 4, balancer = {} } = policy;
  const methodConfig = methods.map((method) => {
    const [service, name] = method.path.replace(/^\//, '').split('/');
    const ms = method.stream ? undefined : (method.timeoutMs ?? timeoutMs);
    return {
      name: [{ service, method: name }],
      ...(ms !== undefined && { timeout: { seconds: Math.floor(ms / 1000), nanos: (ms % 1000) * 1_000_000 } }),
      ...(method.idempotent && maxAttempts > 1 && { retryPolicy: retryPolicy(maxAttempts) }),
    };
  });
  return JSON.stringify({
    loadBalancingConfig: [new BalancerConfig(balancer).toJsonObject()],
    methodConfig,
    retryThrottling: { maxTokens: 100, tokenRatio: 0.1 },
  });
}

function retryPolicy(maxAttempts: number): object {
  return {
    maxAttempts,
    initialBackoff: '0.05s',
    maxBackoff: '1s',
    backoffMultiplier: 2,
    retryableStatusCodes: ['UNAVAILABLE'],
  };
}

/**
 * Channel options that go with it: pings that find out within 15 s that a connection in use is dead, and a reconnect
 * that waits 5 s at most.
 */
export function channelOptions(policy: ClientPolicy): ChannelOptions {
  return {
    'grpc.service_config': serviceConfig(policy),
    'grpc.service_config_disable_resolution': 1,
    'grpc.keepalive_time_ms': 10_000,
    'grpc.keepalive_timeout_ms': 5_000,
    'grpc.initial_reconnect_backoff_ms': 250,
    'grpc.max_reconnect_backoff_ms': 5_000,
  };
}
