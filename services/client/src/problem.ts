/** Errors that people and programs can act on: one class for REST, WebSocket and the network. */

export interface FieldProblem {
  field: string;
  description: string;
}

export interface ProblemDetails {
  /** The HTTP status, where there was one. */
  status?: number;
  retryAfterMs?: number;
  fields?: FieldProblem[];
  requestId?: string;
  cause?: unknown;
}

/** What the server refused, by the gRPC code's name; UNAVAILABLE as well where it could not be reached. */
export class ParleyError extends Error {
  override readonly name = 'ParleyError';
  readonly code: string;
  readonly details: ProblemDetails;

  constructor(code: string, message: string, details: ProblemDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

/** Codes after which the same request, with its key, may well succeed. */
const passing = new Set(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'RESOURCE_EXHAUSTED', 'ABORTED']);

/** Whether to send the same request again by itself; all other codes are answers for good. */
export function isPassing(code: string): boolean {
  return passing.has(code);
}

const codesOfStatus: Record<number, string> = {
  400: 'INVALID_ARGUMENT',
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  409: 'ALREADY_EXISTS',
  413: 'RESOURCE_EXHAUSTED',
  429: 'RESOURCE_EXHAUSTED',
  501: 'UNIMPLEMENTED',
  502: 'UNAVAILABLE',
  503: 'UNAVAILABLE',
  504: 'DEADLINE_EXCEEDED',
};

/** Reads a refusal: an RFC 9457 problem document, or whatever a proxy in between answered. */
export async function problemOf(response: Response): Promise<ParleyError> {
  const body: Record<string, unknown> = await response.json().then(objectOf, () => ({}));
  const seconds = Number(response.headers.get('retry-after'));
  return new ParleyError(
    text(body.code) ?? codesOfStatus[response.status] ?? 'UNKNOWN',
    text(body.detail) ?? text(body.title) ?? `the server answered ${response.status}`,
    {
      status: response.status,
      retryAfterMs: seconds > 0 ? seconds * 1000 : undefined,
      fields: Array.isArray(body.errors) ? (body.errors as FieldProblem[]) : [],
      requestId: text(body.request_id),
    },
  );
}

function objectOf(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value !== '' ? value : undefined;
}
