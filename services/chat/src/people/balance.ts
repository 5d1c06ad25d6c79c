/** How many streams a pod asks to go elsewhere: pure. */

/** While every pod is this near to its fair share, all keep what they have. */
const tolerance = 0.2;
/** Gently: at most so much of the excess at a time. */
const portion = 0.34;
const fewest = 8;

/**
 * @param own this pod's streams
 * @param loads the streams of all pods with a lease, this one's too, as they were said some seconds ago
 */
export function toMove(own: number, loads: readonly number[]): number {
  if (loads.length < 2) return 0;
  const share = loads.reduce((sum, load) => sum + load, 0) / loads.length;
  const excess = own - share;
  const isUneven = own > share * (1 + tolerance) || loads.some((load) => Math.abs(load - share) > share * tolerance);
  if (own < fewest || !isUneven || excess < 1) return 0;
  return Math.max(1, Math.floor(excess * portion));
}
