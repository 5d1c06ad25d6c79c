const FAILED =
  'Unknown|Internal|Unavailable|DataLoss|DeadlineExceeded|UNKNOWN|INTERNAL|UNAVAILABLE|DATA_LOSS|DEADLINE_EXCEEDED';

/**
 * The share of a backend's calls that failed, by its gRPC servers' own metrics. By the pods of the Deployment that has the
 * Service's name: a pod behind several Services is scraped once, as a target of any of them.
 */
export const ERROR_RATE_QUERY =
  `sum(rate(grpc_server_handled_total{namespace="$namespace",pod=~"$service-.*",grpc_code=~"${FAILED}"}[1m]))` +
  ' / sum(rate(grpc_server_handled_total{namespace="$namespace",pod=~"$service-.*"}[1m]))';

export interface PrometheusOptions {
  url: string;
  /** PromQL; `$namespace` and `$service` stand for the backend. */
  query?: string | undefined;
  timeoutMs?: number;
}

/**
 * Asks Prometheus for a backend's error rate. No calls, no series and NaN are no rate: a backend that nobody calls
 * has not failed.
 * @throws where Prometheus does not answer
 */
export async function errorRate(
  { url, query = ERROR_RATE_QUERY, timeoutMs = 3_000 }: PrometheusOptions,
  backend: { namespace: string; service: string },
  signal: AbortSignal,
): Promise<number | undefined> {
  const expression = query.replaceAll('$namespace', backend.namespace).replaceAll('$service', backend.service);
  const target = new URL('api/v1/query', url.endsWith('/') ? url : `${url}/`);
  target.searchParams.set('query', expression);
  const response = await fetch(target, { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
  const answer = (await response.json()) as {
    status: string;
    error?: string;
    data?: { result: { value: [number, string] }[] };
  };
  if (answer.status !== 'success') throw new Error(`Prometheus answered ${response.status}: ${answer.error ?? ''}`);
  const value = Number(answer.data?.result[0]?.value[1]);
  return Number.isFinite(value) ? value : undefined;
}
