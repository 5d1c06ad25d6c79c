import { isUtf8 } from 'node:buffer';
import { invalid } from '@parley/kit';

/** A request's body as JSON; undefined where it is empty. @throws AppError INVALID_ARGUMENT */
export function readJson(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw invalid('', 'the body is not valid UTF-8');
  try {
    return JSON.parse(body.toString('utf8'));
  } catch {
    throw invalid('', 'the body is not JSON');
  }
}
