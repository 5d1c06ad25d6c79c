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
  const candidates: [string, readonly BackendWeight[] | null | undefined][] = [
    ['status.effective', resource?.status?.effective],
    ['spec.backends', resource?.spec?.backends],
  ];
  for (const [field, list] of candidates) {
    if (!list || list.length === 0) continue;
    const refused = refusals(field, list);
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

function refusals(field: string, list: readonly BackendWeight[]): string[] {
  const seen = new Set<string>();
  return list.flatMap(({ service, weight }, at) => {
    const wrong = weightProblem(weight ?? 1);
    const twice = seen.has(service);
    seen.add(service);
    return [
      ...(wrong ? [`${field}[${at}].weight of ${service}: ${wrong}`] : []),
      ...(twice ? [`${field}[${at}].service: ${service} is there twice; each Service is allowed once`] : []),
    ];
  });
}

const unitMs = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 };

/** A Go duration such as 30s or 1m30s, in milliseconds. */
function duration(text: string | undefined, problems: string[]): number {
  if (text === undefined || text === '' || text === '0') return 0;
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) {
    problems.push(`slowStart is ${JSON.stringify(text)}; allowed is a duration such as 30s or 1m30s`);
    return 0;
  }
  const parts = text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g);
  return [...parts].reduce((sum, [, count, unit]) => sum + Number(count) * unitMs[unit as keyof typeof unitMs], 0);
}
