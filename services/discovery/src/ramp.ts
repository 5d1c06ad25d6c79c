/** A full share; shares grow in steps of one. */
const full = 10;

/**
 * Slow start: a new endpoint begins with a tenth of a full share of its backend's calls and has all of it after
 * `slowStartMs`, in ten steps, so that caches, compilers and pools warm up under little load.
 */
export function rampWeight(ageMs: number, slowStartMs: number): number {
  if (slowStartMs <= 0 || ageMs >= slowStartMs) return full;
  return Math.min(full, 1 + Math.floor((Math.max(0, ageMs) * full) / slowStartMs));
}

/** How long until that share grows; undefined when it is full. */
export function untilNextStep(ageMs: number, slowStartMs: number): number | undefined {
  const weight = rampWeight(ageMs, slowStartMs);
  if (weight === full) return undefined;
  return Math.max(1, Math.ceil((weight * slowStartMs) / full - Math.max(0, ageMs)));
}

/**
 * Who has been there since when: endpoints that are new get the time, those that are gone are forgotten, so that one
 * that comes back starts slowly again. At the first look nobody is new.
 */
export function keepSince(
  before: ReadonlyMap<string, number> | undefined,
  present: Iterable<string>,
  now: number,
): Map<string, number> {
  const since = new Map<string, number>();
  for (const id of present) since.set(id, before === undefined ? Number.NEGATIVE_INFINITY : (before.get(id) ?? now));
  return since;
}
