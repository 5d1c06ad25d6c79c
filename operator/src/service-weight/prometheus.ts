const FAILED =
  'Unknown|Internal|Unavailable|DataLoss|DeadlineExceeded|UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED';

/** The share of a backend's calls that failed, by its gRPC servers' own metrics. */
export const ERROR_RATE_QUERY =
  `sum(rate(grpc_server_handled_total{namespace="$namespace",pod=~"$pods",grpc_code=~"${FAILED}"}[1m]))` +
  ' / sum(rate(grpc_server_handled_total{namespace="$namespace",pod=~"$pods"}[1m]))';

/**
 * The names of a backend's pods, as a pattern: those of the Deployment that has the Service's name, since a pod behind
 * several Services is scraped once, as a target of any of them. The Deployment behind the chart's `<name>-stable` is
 * `<name>`: what a ReplicaSet adds to it is two words, where a canary's pods have a third.
 */
function podsOf(service: string): string {
  const own = `${service}-.*`;
  return service.endsWith('-stable') ? `${own}|${service.slice(0, -'-stable'.length)}-[^-]+-[^-]+` : own;
}

export interface PrometheusOptions {
  url: string;
  /** PromQL; `$namespace` and `$service` stand for the backend, `$pods` for the pattern of its pods' names. */
  query?: string | undefined;
  timeoutMs?: number;
}

/**
 * Asks Prometheus for a backend's error rate. No calls, no series and NaN are no rate: a backend that nobody calls
 * has not failed.
 * @throws where Prometheus does not answer, or with what is no number
 */
export async function errorRate(
  { url, query = ERROR_RATE_QUERY, timeoutMs = 3_000 }: PrometheusOptions,
  backend: { namespace: string; service: string },
  signal: AbortSignal,
): Promise<number | undefined> {
  const expression = query
    .replaceAll('$namespace', backend.namespace)
    .replaceAll('$service', backend.service)
    .replaceAll('$pods', podsOf(backend.service));
  const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
  target.searchParams.set('query', expression);
  const response = await fetch(target, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  const answer = (await response.json()) as { status: string; error?: string; data?: Answer };
  if (answer.status !== 'success') throw new Error(`Prometheus answered ${response.status}: ${answer.error ?? ''}`);
  const value = Number(sampleOf(answer.data!));
  return Number.isFinite(value) ? value : undefined;
}

type Sample = [atSeconds: number, value: string];
type Answer =
  | { resultType: 'vector'; result: { value: Sample }[] }
  | { resultType: 'scalar'; result: Sample }
  | { resultType: 'matrix' | 'string' };

function sampleOf(answer: Answer): string | undefined {
  if (answer.resultType === 'vector') return answer.result[0]?.value[1];
  if (answer.resultType === 'scalar') return answer.result[1];
  throw new Error(`the query gives a ${answer.resultType}; a vector or a scalar is allowed`);
}
