/** Errors as part of the API: one class inside, translated once at each edge (gRPC in rpc/status.ts, HTTP in the gateway). */
import type { status } from '@grpc/grpc-js';

export type CodeName = keyof typeof status;

/** One thing that is wrong with one field of a request, as in google.rpc.BadRequest. */
export interface FieldViolation {
  /** The field's path in proto names, such as `items[0].quantity`. */
  field: string;
  /** What is wrong and what is allowed. */
  description: string;
}

export interface ErrorDetails {
  fields?: FieldViolation[];
  /** A machine-readable reason in UPPER_SNAKE_CASE, as in google.rpc.ErrorInfo. */
  reason?: string;
  /** When to try again, in milliseconds from now, as in google.rpc.RetryInfo. */
  retryAfterMs?: number;
  /** Trailing metadata for a stream that ends, such as `parley-cursor`. */
  trailers?: Record<string, string>;
  cause?: unknown;
}

/**
 * What a caller is told. The message is for him: it names the value and what is allowed or what to do.
 * Everything that is not an AppError reaches callers as INTERNAL with a constant message, and the log in full.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: CodeName;
  readonly details: ErrorDetails;

  constructor(code: CodeName, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.details = details;
  }
}

/** INVALID_ARGUMENT for one field: `content is 20,481 bytes; at most 16,384`. */
export function invalid(field: string, description: string): AppError {
  return invalidFields([{ field, description }]);
}

/** INVALID_ARGUMENT for all the fields that are wrong, so that a caller can mend them at once. */
export function invalidFields(fields: FieldViolation[]): AppError {
  const message = fields.map(({ field, description }) => (field ? `${field} ${description}` : description)).join('; ');
  return new AppError('INVALID_ARGUMENT', message, { fields });
}

export function notFound(what: string): AppError {
  return new AppError('NOT_FOUND', `${what} does not exist`);
}

/** UNAVAILABLE with when to try again: for whatever comes back by itself. */
export function unavailable(message: string, retryAfterMs = 1000, cause?: unknown): AppError {
  return new AppError('UNAVAILABLE', message, { retryAfterMs, cause });
}
