/** What a request carries: a body that is sent as JSON, an access token, more headers. */
export type SentJson = [body?: object, token?: string, headers?: Record<string, string>];

/** A request for `fetch` that carries them. */
export function jsonRequest(method: string, ...[body, token, headers]: SentJson): RequestInit {
  return {
    method,
    headers: {
      ...(body && { 'content-type': 'application/json' }),
      ...(token && { authorization: `Bearer ${token}` }),
      ...headers,
    },
    body: body ? JSON.stringify(body) : null,
  };
}
