/** How much memory the processes take over a run, and whether it grows. */
import type { Member } from './member.ts';
import { pause } from './patience.ts';

export interface Sample {
  /** Since the load began. */
  minute: number;
  rssBytes: number;
  heapBytes: number;
  externalBytes: number;
}

export interface Growth {
  baseline: Sample;
  end: Sample;
  /** The resident memory at the end, as a part of the baseline's. */
  ratio: number;
}

const sampleEveryMs = 10_000;
const scrapeTimeoutMs = 5000;
/** Minute 5, and a minute around it. */
const baselineMinutes = [4, 6] as const;
const lastMinutes = 3;
export const mostGrowth = 1.1;

export type Samples = Map<string, Sample[]>;

/** Adds to the samples, by the processes' names, until the signal. */
export async function sampleMemory(members: Member[], samples: Samples, signal: AbortSignal): Promise<void> {
  const startedAt = performance.now();
  for (const { name } of members) samples.set(name, []);
  while (!signal.aborted) {
    const minute = (performance.now() - startedAt) / 60_000;
    for (const { name, metrics } of members) {
      const text = await fetch(metrics, { signal: AbortSignal.timeout(scrapeTimeoutMs) }).then(
        (response) => response.text(),
        () => '',
      );
      const read = (metric: string) => Number(new RegExp(`^${metric} (\\S+)`, 'm').exec(text)?.[1]);
      const rssBytes = read('process_resident_memory_bytes');
      const [heapBytes, externalBytes] = [read('nodejs_heap_size_used_bytes'), read('nodejs_external_memory_bytes')];
      if (rssBytes > 0) samples.get(name)!.push({ minute, rssBytes, heapBytes, externalBytes });
    }
    await pause(sampleEveryMs, signal);
  }
}

/** Compares the last minutes with minute 5, by medians. Undefined where a run was too short to have both. */
export function growthOf(samples: Sample[]): Growth | undefined {
  const [from, to] = baselineMinutes;
  const last = samples.at(-1)?.minute ?? 0;
  if (last < to + lastMinutes) return undefined;
  const baseline = medianOf(samples.filter(({ minute }) => minute >= from && minute <= to));
  const end = medianOf(samples.filter(({ minute }) => minute >= last - lastMinutes));
  return { baseline, end, ratio: end.rssBytes / baseline.rssBytes };
}

export function medianOf(samples: Sample[]): Sample {
  const median = (of: (sample: Sample) => number) => {
    const sorted = samples.map(of).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
  };
  return {
    minute: median(({ minute }) => minute),
    rssBytes: median(({ rssBytes }) => rssBytes),
    heapBytes: median(({ heapBytes }) => heapBytes),
    externalBytes: median(({ externalBytes }) => externalBytes),
  };
}
