/** Requests to the gateway's REST API: JSON in and out, every refusal a ParleyError. */
import { ParleyError, problemOf } from './problem.ts';

export interface HttpRequest {
  method?: string;
  path: string;
  query?: Record<string, string | number | undefined>;
  body?: unknown;
  headers?: Record<string, string>;
  /** An access token; empty for a guest. */
  token?: string;
  signal?: AbortSignal;
}

const timeoutMs = 20_000;

/**
 * @param origin the gateway's, such as `http://localhost:8080`.
 * @throws ParleyError with the server's code, or UNAVAILABLE when it cannot be reached.
 */
export async function call<Answer>(origin: string, request: HttpRequest): Promise<Answer> {
  const url = new URL(request.path, origin);
  for (const [name, value] of Object.entries(request.query ?? {}))
    if (value !== undefined && value !== '') url.searchParams.set(name, String(value));
  const limit = AbortSignal.timeout(timeoutMs);
  const init: RequestInit = {
    method: request.method ?? 'GET',
    headers: headersOf(request),
    credentials: 'same-origin',
    signal: request.signal ? AbortSignal.any([request.signal, limit]) : limit,
  };
  if (request.body !== undefined) init.body = JSON.stringify(request.body);
  const response = await fetch(url, init).catch((cause) => {
    throw new ParleyError('UNAVAILABLE', `${url.origin} cannot be reached`, { cause });
  });
  if (!response.ok) throw await problemOf(response);
  return (await response.json()) as Answer;
}

function headersOf({ body, headers, token }: HttpRequest): Record<string, string> {
  return {
    accept: 'application/json',
    ...(body === undefined ? {} : { 'content-type': 'application/json' }),
    ...(token ? { authorization: `Bearer ${token}` } : {}),
    ...headers,
  };
}
