/** How many streams a pod asks to go elsewhere: pure. */

/** Above its fair share by less than this, a pod keeps what it has. */
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
  if (own < fewest || excess <= share * tolerance || excess < 2) return 0;
  return Math.max(1, Math.floor(excess * portion));
}
