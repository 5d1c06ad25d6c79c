/** A backend and its share of the traffic. */
export interface Share {
  service: string;
  weight: number;
}

/** The most that a weight may be: clients refuse a list that has more. */
const MAX_WEIGHT = 1_000_000;

/**
 * The weights at a step: the backend gets `weight` of 100, the others divide the rest by their own weights; where none of
 * them has one, all get alike. They are of 100 where that makes whole numbers, else the smallest that keep the ratios:
 * rounding would shift traffic, and cut off who has little.
 */
export function atStep(backends: readonly Share[], backend: string, weight: number): Share[] {
  const others = backends.filter(({ service }) => service !== backend);
  const sum = others.reduce((total, other) => total + other.weight, 0);
  const whole = sum || others.length || 1;
  const parts = backends.map((share) =>
    share.service === backend ? weight * whole : (100 - weight) * (sum === 0 ? 1 : share.weight),
  );
  const divisor = parts.every((part) => part % whole === 0) ? whole : parts.reduce(greatestCommonDivisor);
  const least = parts.map((part) => part / divisor);
  const tooMuch = Math.max(1, Math.max(...least) / MAX_WEIGHT);
  return backends.map(({ service }, i) => {
    const share = least[i]!;
    return { service, weight: share === 0 ? 0 : Math.max(1, Math.round(share / tooMuch)) };
  });
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

/**
 * Leaves the traffic to the backends with ready endpoints, by their own weights. Where none of them has a weight, by the
 * weights in `fallback`: a canary at 100 that is gone leaves its traffic to those it came from. Where nobody can take it
 * all stays as wished: clients keep what they have, and a backend that comes back is used.
 */
export function moveToReady(
  wished: readonly Share[],
  fallback: readonly Share[],
  isReady: (service: string) => boolean,
): Share[] {
  for (const source of [wished, fallback]) {
    const shares = wished.map(({ service }) => ({
      service,
      weight: isReady(service) ? (source.find((share) => share.service === service)?.weight ?? 0) : 0,
    }));
    if (shares.some(({ weight }) => weight > 0)) return shares;
  }
  return [...wished];
}
