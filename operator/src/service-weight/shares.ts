/** A backend and its share of the traffic. */
export interface Share {
  service: string;
  weight: number;
}

/**
 * Divides a whole over parts by their weights, in whole numbers that sum up to it: what rounding leaves goes to those
 * it took the most from (largest remainder, Hamilton). Where no part has a weight all get alike.
 */
export function divide(whole: number, weights: readonly number[]): number[] {
  const sum = weights.reduce((a, b) => a + b, 0);
  const exact = weights.map((weight) => (whole * (sum === 0 ? 1 : weight)) / (sum === 0 ? weights.length : sum));
  const floors = exact.map(Math.floor);
  const left = whole - floors.reduce((a, b) => a + b, 0);
  const byRemainder = exact
    .map((value, i) => ({ i, rest: value - floors[i]! }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  for (const { i } of byRemainder.slice(0, left)) floors[i]! += 1;
  return floors;
}

/** The weights at a step: the backend gets `weight` of 100, the others divide the rest by their own weights. */
export function atStep(backends: readonly Share[], backend: string, weight: number): Share[] {
  const others = backends.filter(({ service }) => service !== backend);
  const rest = divide(
    100 - weight,
    others.map((other) => other.weight),
  );
  return backends.map(({ service }) => ({
    service,
    weight: service === backend ? weight : rest[others.findIndex((other) => other.service === service)]!,
  }));
}

/**
 * Moves the weight of backends without ready endpoints to those that have some, by the weights of these. Where none of
 * them has a weight, by the weights in `fallback`: a canary at 100 that is gone leaves its traffic to those it came from.
 * Where nobody can take it all stays as wished: clients keep what they have, and a backend that comes back is used.
 */
export function moveToReady(
  wished: readonly Share[],
  fallback: readonly Share[],
  isReady: (service: string) => boolean,
): Share[] {
  const whole = wished.reduce((sum, { weight }) => sum + weight, 0);
  if (wished.every(({ service, weight }) => weight === 0 || isReady(service))) return [...wished];
  for (const source of [wished, fallback]) {
    const weights = wished.map(({ service }) =>
      isReady(service) ? (source.find((share) => share.service === service)?.weight ?? 0) : 0,
    );
    if (weights.some((weight) => weight > 0)) {
      const divided = divide(whole, weights);
      return wished.map(({ service }, i) => ({ service, weight: weights[i]! > 0 ? divided[i]! : 0 }));
    }
  }
  return [...wished];
}
