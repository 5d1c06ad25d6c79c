/** What the API server answered instead of the object: its Status, with the verb or the field it complains about. */
export class ApiError extends Error {
  /** The HTTP status. */
  readonly code: number;
  /** Such as `NotFound`, `AlreadyExists`, `Conflict`, `Invalid`, `Expired`. */
  readonly reason: string;
  readonly retryAfterMs: number | undefined;

  constructor(code: number, reason: string, message: string, retryAfterMs?: number) {
    super(message);
    this.name = 'ApiError';
    this.code = code;
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }

  /** Reads the body of an answer that is not a success; proxies on the way answer with anything. */
  static from(code: number, body: string, retryAfter?: string): ApiError {
    const seconds = Number(retryAfter);
    const retryAfterMs = retryAfter !== undefined && Number.isFinite(seconds) ? seconds * 1000 : undefined;
    try {
      const status = JSON.parse(body) as { reason?: string; message?: string };
      return new ApiError(code, status.reason ?? '', status.message ?? `HTTP ${code}`, retryAfterMs);
    } catch {
      return new ApiError(code, '', `HTTP ${code}: ${body.slice(0, 200)}`, retryAfterMs);
    }
  }
}

/** Is it an answer of the API server with this HTTP status? */
export function isApiError(error: unknown, code: number): error is ApiError {
  return error instanceof ApiError && error.code === code;
}
