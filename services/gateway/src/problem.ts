/** Errors as HTTP tells them: RFC 9457 problem documents, with the gRPC code's name in `code`. */
import { STATUS_CODES } from 'node:http';
import { AppError, type CodeName, type FieldViolation } from '@parley/kit';

export interface Problem {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: CodeName;
  request_id: string;
  errors: FieldViolation[];
  /** A machine-readable reason such as KEY_REUSED, where there is one. */
  reason?: string;
}

/** As grpc-gateway maps them. */
export const httpStatusOf: Record<CodeName, number> = {
  OK: 200,
  CANCELLED: 499,
  UNKNOWN: 500,
  INVALID_ARGUMENT: 400,
  DEADLINE_EXCEEDED: 504,
  NOT_FOUND: 404,
  ALREADY_EXISTS: 409,
  PERMISSION_DENIED: 403,
  RESOURCE_EXHAUSTED: 429,
  FAILED_PRECONDITION: 400,
  ABORTED: 409,
  OUT_OF_RANGE: 400,
  UNIMPLEMENTED: 501,
  INTERNAL: 500,
  UNAVAILABLE: 503,
  DATA_LOSS: 500,
  UNAUTHENTICATED: 401,
};

/** An error that HTTP knows and gRPC does not: 405, 413, 415 and their like. */
export class HttpError extends AppError {
  readonly status: number;
  constructor(status: number, code: CodeName, message: string) {
    super(code, message);
    this.status = status;
  }
}

/** What a caller hears. Whatever is not an AppError is INTERNAL, and its text stays with us. */
export function problemOf(error: unknown, requestId: string): Problem {
  const known = error instanceof AppError ? error : new AppError('INTERNAL', 'something went wrong on our side');
  const status = known instanceof HttpError ? known.status : httpStatusOf[known.code];
  const { fields = [], reason } = known.details;
  return {
    type: 'about:blank',
    title: STATUS_CODES[status] ?? 'Client Closed Request',
    status,
    detail: known.message,
    code: known.code,
    request_id: requestId,
    errors: fields.map(({ field, description }) => ({ field, description })),
    ...(reason ? { reason } : {}),
  };
}

/** Whole seconds for Retry-After, which goes with 429 and 503. */
export function retryAfterSeconds(error: unknown, status: number): number | undefined {
  if (status !== 429 && status !== 503) return undefined;
  const ms = error instanceof AppError ? error.details.retryAfterMs : undefined;
  return Math.max(1, Math.ceil((ms ?? 1000) / 1000));
}

/** The errors that Fastify and Node raise before a handler of ours runs, in our words. */
export function fromHttpLibrary(error: unknown): unknown {
  const { statusCode, code } = error as { statusCode?: number; code?: string };
  if (error instanceof AppError || statusCode === undefined || statusCode >= 500) return error;
  if (statusCode === 413)
    return new HttpError(413, 'RESOURCE_EXHAUSTED', 'the body is too large; at most 1,048,576 bytes');
  if (statusCode === 415) {
    return new HttpError(
      415,
      'INVALID_ARGUMENT',
      'the body is of a type that is not read here; application/json is allowed',
    );
  }
  if (statusCode === 404) return new AppError('NOT_FOUND', 'there is nothing at this path');
  const message =
    code === 'FST_ERR_BAD_URL' ? 'the path is not percent-encoded UTF-8' : 'the request cannot be read as HTTP';
  return new HttpError(statusCode, 'INVALID_ARGUMENT', message);
}
