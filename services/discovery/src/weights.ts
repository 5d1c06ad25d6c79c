import type { BackendWeight, ServiceWeight } from './kubernetes.ts';

/** As in a Gateway API route. */
export const maxWeight = 1_000_000;

/** Which Services share a name's traffic, and how. */
export interface Split {
  /** Weights as they apply: when all are 0, all are 1. Empty: the Service itself takes everything. */
  backends: { service: string; weight: number }[];
  slowStartMs: number;
  /** What could not be used, in words for a log. */
  problems: string[];
}

/**
 * Reads a ServiceWeight: `status.effective` where there is one (the truth), else `spec.backends` (the wish). A list with
 * a weight that is not allowed is refused as a whole, because half a split is another split.
 */
export function split(resource: ServiceWeight | undefined): Split {
  const problems: string[] = [];
  const slowStartMs = duration(resource?.status?.slowStart ?? resource?.spec?.slowStart, problems);
  // What a definition that someone loosened lets through must not end the process that dials.
  const candidates: [string, unknown][] = [
    ['status.effective', resource?.status?.effective],
    ['spec.backends', resource?.spec?.backends],
  ];
  for (const [field, value] of candidates) {
    if (value === undefined || value === null) continue;
    const refused = Array.isArray(value) ? refusals(field, value) : [`${field} is no list`];
    const list = value as readonly BackendWeight[];
    if (refused.length === 0 && list.length === 0) continue;
    if (refused.length > 0) {
      problems.push(...refused);
      continue;
    }
    const weights = list.map(({ service, weight }) => ({ service, weight: weight ?? 1 }));
    const allZero = weights.every(({ weight }) => weight === 0);
    return { backends: allZero ? weights.map((each) => ({ ...each, weight: 1 })) : weights, slowStartMs, problems };
  }
  return { backends: [], slowStartMs, problems };
}

/** Says what is wrong with a weight, or undefined when nothing is. */
export function weightProblem(weight: unknown): string | undefined {
  const fine = typeof weight === 'number' && Number.isInteger(weight) && weight >= 0 && weight <= maxWeight;
  return fine ? undefined : `${JSON.stringify(weight)} is no weight; allowed are whole numbers from 0 to 1,000,000`;
}

function refusals(field: string, list: readonly (BackendWeight | null)[]): string[] {
  const seen = new Set<string>();
  return list.flatMap((backend, at) => {
    const { service, weight } = backend ?? { service: undefined };
    if (typeof service !== 'string' || !isName.test(service)) {
      return [`${field}[${at}].service: ${JSON.stringify(service)} is no Service's name`];
    }
    const wrong = weightProblem(weight ?? 1);
    const twice = seen.has(service);
    seen.add(service);
    return [
      ...(wrong ? [`${field}[${at}].weight of ${service}: ${wrong}`] : []),
      ...(twice ? [`${field}[${at}].service: ${service} is there twice; each Service is allowed once`] : []),
    ];
  });
}

const isName = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A Go duration such as 30s or 1m30s, in milliseconds. */
function duration(text: unknown, problems: string[]): number {
  if (text === undefined || text === null || text === '' || text === '0') return 0;
  if (typeof text !== 'string' || !/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    problems.push(`slowStart is ${JSON.stringify(text)}; allowed is a duration such as 30s or 1m30s`);
    return 0;
  }
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs], 0);
}
