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
