/** Which web pages may talk to us in their visitor's name. */
import { AppError } from '@parley/kit';

/**
 * Pages of our own host and of the allowed origins. Programs other than browsers send no Origin.
 * @throws AppError PERMISSION_DENIED
 */
export function checkOrigin(origin: string | undefined, host: string | undefined, allowed: readonly string[]): void {
  if (origin === undefined || allowed.includes(origin)) return;
  if (URL.canParse(origin) && host !== undefined && new URL(origin).host === host) return;
  throw new AppError(
    'PERMISSION_DENIED',
    `pages of ${JSON.stringify(origin.slice(0, 200))} may not call here; PARLEY_ALLOWED_ORIGINS lists those that may`,
  );
}

/** What pages of the allowed origins may read and send (CORS); cookies stay with pages of our own. */
export function corsHeaders(origin: string | undefined, allowed: readonly string[]): Record<string, string> {
  if (origin === undefined || !allowed.includes(origin)) return {};
  return {
    vary: 'Origin',
    'access-control-allow-origin': origin,
    'access-control-expose-headers': 'Retry-After, X-Request-Id',
    'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
    'access-control-allow-headers':
      'Authorization, Content-Type, Idempotency-Key, Last-Event-ID, Traceparent, X-Request-Id',
    'access-control-max-age': '600',
    'cross-origin-resource-policy': 'cross-origin',
  };
}
