import type { experimental } from '@grpc/grpc-js';
import { defaultOutlierPolicy, type OutlierPolicy } from './outlier.ts';

export const balancerName = 'parley_weighted';

/** The balancer's settings, as they stand in a service config: `{"parley_weighted": {…}}`. All are optional. */
export interface BalancerOptions extends OutlierPolicy {
  /**
   * How long, after the first endpoint is connected, a new channel waits for the others before it makes calls. Without
   * it the first calls of every client all go to whichever endpoint answers first.
   */
  settleMs: number;
}

const allowed: Record<keyof BalancerOptions, { fallback: number; min: number; max: number }> = {
  consecutiveFailures: { fallback: defaultOutlierPolicy.consecutiveFailures, min: 0, max: 1_000 },
  baseEjectionMs: { fallback: defaultOutlierPolicy.baseEjectionMs, min: 1, max: 3_600_000 },
  maxEjectionMs: { fallback: defaultOutlierPolicy.maxEjectionMs, min: 1, max: 3_600_000 },
  maxEjectedPercent: { fallback: defaultOutlierPolicy.maxEjectedPercent, min: 0, max: 100 },
  settleMs: { fallback: 250, min: 0, max: 60_000 },
};

/** The parsed form that grpc-js passes around. */
export class BalancerConfig implements experimental.TypedLoadBalancingConfig {
  readonly options: BalancerOptions;

  constructor(options: Partial<BalancerOptions> = {}) {
    this.options = parse(options);
  }

  getLoadBalancerName(): string {
    return balancerName;
  }

  toJsonObject(): object {
    return { [balancerName]: this.options };
  }

  /** @throws Error that names every unknown or out-of-range field */
  static createFromJson(json: Partial<BalancerOptions>): BalancerConfig {
    return new BalancerConfig(json);
  }
}

function parse(given: Partial<BalancerOptions>): BalancerOptions {
  const names = Object.keys(allowed) as (keyof BalancerOptions)[];
  const unknown = Object.keys(given).filter((name) => !(name in allowed));
  const problems = unknown.map((name) => `${name} is not a setting; allowed are ${names.join(', ')}`);
  for (const name of names) {
    const { min, max } = allowed[name];
    const value = given[name] ?? allowed[name].fallback;
    if (!Number.isInteger(value) || value < min || value > max) {
      problems.push(`${name} is ${JSON.stringify(value)}; allowed are whole numbers from ${min} to ${max}`);
    }
  }
  if (problems.length > 0) throw new Error(problems.join('; '));
  return Object.fromEntries(
    names.map((name) => [name, given[name] ?? allowed[name].fallback]),
  ) as unknown as BalancerOptions;
}
