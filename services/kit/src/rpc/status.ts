/** AppError to gRPC status and back, with google.rpc details in `grpc-status-details-bin`. */
import { Metadata, type ServiceError, type StatusObject, status } from '@grpc/grpc-js';
import { AppError, type CodeName, type ErrorDetails, type FieldViolation } from '../errors.ts';
import { messageCodec } from './definitions.ts';

const detailsKey = 'grpc-status-details-bin';
const typeUrl = (name: string) => `type.googleapis.com/${name}`;

let codecs: ReturnType<typeof makeCodecs> | undefined;
const makeCodecs = () => ({
  status: messageCodec('google.rpc.Status'),
  badRequest: messageCodec('google.rpc.BadRequest'),
  errorInfo: messageCodec('google.rpc.ErrorInfo'),
  retryInfo: messageCodec('google.rpc.RetryInfo'),
});

interface AnyMessage {
  type_url: string;
  value: Buffer;
}

/** What a caller hears of an error. Whatever is not an AppError is INTERNAL, and its text stays with us. */
export function toStatus(
  error: unknown,
): Partial<StatusObject> & { code: status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  if (!(error instanceof AppError))
    return { code: status.INTERNAL, details: 'something went wrong on our side', metadata };
  const { fields, reason, retryAfterMs, trailers } = error.details;
  for (const [key, value] of Object.entries(trailers ?? {})) metadata.set(key, value);
  codecs ??= makeCodecs();
  const details: AnyMessage[] = [];
  if (fields) {
    const value = codecs.badRequest.encode({ field_violations: fields });
    details.push({ type_url: typeUrl('google.rpc.BadRequest'), value });
  }
  if (reason) {
    const value = codecs.errorInfo.encode({ reason, domain: 'parley.dev' });
    details.push({ type_url: typeUrl('google.rpc.ErrorInfo'), value });
  }
  if (retryAfterMs !== undefined) {
    const retry_delay = { seconds: Math.floor(retryAfterMs / 1000), nanos: (retryAfterMs % 1000) * 1_000_000 };
    details.push({ type_url: typeUrl('google.rpc.RetryInfo'), value: codecs.retryInfo.encode({ retry_delay }) });
  }
  if (details.length > 0) {
    metadata.set(detailsKey, codecs.status.encode({ code: status[error.code], message: error.message, details }));
  }
  return { code: status[error.code], details: error.message, metadata };
}

/** How grpc-js tells that a connection broke, or was closed, under a call that nobody has cancelled or answered. */
const endedWithConnection = ['Call cancelled', 'Received RST_STREAM with code 0 (Call ended without gRPC status)'];

/**
 * The code of a call that has ended. One that ends with its connection is CANCELLED in grpc-js where it has just begun (it
 * says `Cancelled on client` where somebody has cancelled), and INTERNAL where the server closes it without a word: for the
 * caller both are a server that is not there.
 */
export function codeOf({ code, details }: Pick<StatusObject, 'code' | 'details'>): status {
  return endedWithConnection.includes(details) ? status.UNAVAILABLE : code;
}

/** The AppError that another service answered with. */
export function fromServiceError(error: ServiceError): AppError {
  const code = (status[codeOf(error)] ?? 'UNKNOWN') as CodeName;
  const details: ErrorDetails = { cause: error, ...decodeDetails(error.metadata) };
  const cursor = error.metadata?.get('parley-cursor')[0];
  if (cursor !== undefined) details.trailers = { 'parley-cursor': String(cursor) };
  return new AppError(code, error.details || error.message, details);
}

function decodeDetails(metadata: Metadata | undefined): ErrorDetails {
  const bytes = metadata?.get(detailsKey)[0];
  if (!Buffer.isBuffer(bytes)) return {};
  codecs ??= makeCodecs();
  const found: ErrorDetails = {};
  try {
    for (const { type_url, value } of (codecs.status.decode(bytes) as { details: AnyMessage[] }).details) {
      if (type_url.endsWith('/google.rpc.BadRequest')) {
        found.fields = (codecs.badRequest.decode(value) as { field_violations: FieldViolation[] }).field_violations;
      } else if (type_url.endsWith('/google.rpc.ErrorInfo')) {
        found.reason = (codecs.errorInfo.decode(value) as { reason: string }).reason;
      } else if (type_url.endsWith('/google.rpc.RetryInfo')) {
        const { retry_delay } = codecs.retryInfo.decode(value) as { retry_delay: { seconds: string; nanos: number } };
        found.retryAfterMs = Number(retry_delay.seconds) * 1000 + retry_delay.nanos / 1_000_000;
      }
    }
  } catch {
    // Details of a peer that we cannot read are no reason to lose its code and message.
  }
  return found;
}
