/** What a run has to say, as people read it. */
import { growthOf, medianOf, mostGrowth, type Sample, type Samples } from './memory.ts';
import type { SoakReport } from './soak.ts';

const mib = (bytes: number) => (bytes / 1024 / 1024).toFixed(0);

/** Resident memory, and the heap's part of it: `MiB (heap): chat-1 120 (40), user-1 98 (30)` */
export function memoryLine(samples: Samples): string {
  const latest = [...samples].map(([name, all]) => {
    const { rssBytes, heapBytes } = medianOf(all.slice(-6));
    return `${name} ${mib(rssBytes)} (${mib(heapBytes)})`;
  });
  return `MiB (heap): ${latest.join(', ')}`;
}

export function tableOf({ seconds, faults, sends, acknowledged, deliveries, samples, tally }: SoakReport): string {
  const times = Map.groupBy(faults, (name) => name);
  const count = (what: string) => tally.count(what);
  const rows: [string, string][] = [
    ['ran', `${(seconds / 60).toFixed(1)} minutes`],
    ['faults', `${faults.length}: ${[...times].map(([name, { length }]) => `${length} ${name}`).join(', ')}`],
    ['messages', `${acknowledged} acknowledged of ${sends} sent, ${(acknowledged / seconds).toFixed(1)} a second`],
    ['deliveries', `${deliveries}`],
    ['tried again', `${count('sends tried again')} sends beside those by the SDK; errors: ${tally.errors}`],
    ['resumed', `${count('streams resumed')} gRPC streams, ${count('WebSockets lost')} WebSockets`],
    ['orders', `${count('orders')}: ${count('PAID')} PAID, ${count('CANCELLED')} CANCELLED`],
    ['users', `${count('users made')} made, ${count('signed in again')} times somebody had to sign in again`],
    ['visits', `${count('visits')}, ${count('visits in vain')} in vain`],
    ['logged', tally.startingWith('logged ') || 'no error'],
    ...[...samples].map(([name, all]): [string, string] => [`memory ${name}`, memoryOf(all)]),
  ];
  const widest = Math.max(...rows.map(([label]) => label.length));
  return rows.map(([label, text]) => `${label.padEnd(widest)}  ${text}`).join('\n');
}

function memoryOf(samples: Sample[]): string {
  const shown = ({ rssBytes, heapBytes, externalBytes }: Sample) =>
    `${mib(rssBytes)} MiB (heap ${mib(heapBytes)}, external ${mib(externalBytes)})`;
  const growth = growthOf(samples);
  if (growth === undefined) return `${shown(medianOf(samples))}; the run was too short to judge it`;
  const { baseline, end, ratio } = growth;
  return `minute 5 ${shown(baseline)}, last 3 minutes ${shown(end)}: ${ratio.toFixed(3)} × (at most ${mostGrowth})`;
}
