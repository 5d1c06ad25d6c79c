/** What a message, a room id or a name may look like. */
import { type FieldViolation, invalid, invalidFields } from '@parley/kit';

export const roomIdPattern = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
export const mostContentBytes = 16_384;
const mostKeyCharacters = 128;
const mostNameCharacters = 128;

const number = new Intl.NumberFormat('en-US');
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const control = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/u;
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what it looks for
const anyControl = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/u;

/** @throws AppError INVALID_ARGUMENT. */
export function checkRoomId(roomId: string): void {
  if (roomIdPattern.test(roomId)) return;
  const shown = JSON.stringify(roomId.slice(0, 140));
  throw invalid(
    'room_id',
    roomId === ''
      ? 'is empty; it is required'
      : `is ${shown}; 1 to 128 letters, digits, dots, underscores and dashes are allowed, a letter or digit first`,
  );
}

/** @throws AppError INVALID_ARGUMENT: `content is 20,481 bytes; at most 16,384`. */
export function checkContent(content: string): void {
  const bytes = content.length * 3 <= mostContentBytes ? 0 : Buffer.byteLength(content);
  if (bytes > mostContentBytes) {
    throw invalid('content', `is ${number.format(bytes)} bytes; at most ${number.format(mostContentBytes)}`);
  }
  if (content.trim() === '') {
    throw invalid('content', content === '' ? 'is empty; it is required' : 'is blank; something to read is required');
  }
  const found = control.exec(content);
  if (found) {
    const code = found[0].charCodeAt(0).toString(16).toUpperCase().padStart(4, '0');
    throw invalid('content', `has the control character U+${code}; only tab and newline are allowed`);
  }
}

/** @throws AppError INVALID_ARGUMENT. The empty key is none. */
export function checkKey(key: string): void {
  if (key.length > mostKeyCharacters) {
    throw invalid('idempotency_key', `is ${key.length} characters; 1 to ${mostKeyCharacters} are allowed`);
  }
}

/** The name or id of somebody who is not signed in, or whom a service names. */
export function nameProblem(field: string, value: string): FieldViolation | undefined {
  if (value === '') return { field, description: 'is empty; it is required' };
  if (value.length > mostNameCharacters) {
    return { field, description: `is ${value.length} characters; 1 to ${mostNameCharacters} are allowed` };
  }
  if (anyControl.test(value)) return { field, description: 'has a control character; none is allowed' };
  if (value.trim() === '') return { field, description: 'is blank; something to read is required' };
  return undefined;
}

/** @throws AppError INVALID_ARGUMENT that names all fields that are wrong. */
export function checkNames(fields: Record<string, string>): void {
  const wrong: FieldViolation[] = [];
  for (const field in fields) {
    const problem = nameProblem(field, fields[field]!);
    if (problem) wrong.push(problem);
  }
  if (wrong.length > 0) throw invalidFields(wrong);
}
