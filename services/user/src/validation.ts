/** What a user's fields may hold. Each rule answers what is wrong and what is allowed, or nothing. */
import { type FieldViolation, invalidFields } from '@parley/kit';

export interface Profile {
  username: string;
  email: string;
  full_name: string;
}

type Rule = (value: string) => string | undefined;

const longestUsername = 64;
const longestEmail = 254;
const longestFullName = 200;
const shortestPassword = 8;
const longestPassword = 256;

/** What browsers accept in `<input type=email>` (WHATWG HTML): plain enough for an index, wide enough for people. */
const email =
  /^[a-zA-Z0-9.!#$%&'*+/=?^_`{|}~-]+@[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?(?:\.[a-zA-Z0-9](?:[a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/;

export const rules = {
  username(value) {
    if (/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(value)) return undefined;
    return `is ${shown(value)}; 1 to ${longestUsername} letters (a-z, A-Z), digits, '.', '_' and '-' are allowed, the first a letter or digit`;
  },
  email(value) {
    if (value.length <= longestEmail && email.test(value)) return undefined;
    return `is ${shown(value)}; an address such as name@example.com of at most ${longestEmail} characters is allowed`;
  },
  full_name(value) {
    const length = characters(value);
    if (length > longestFullName) return `has ${length} characters; at most ${longestFullName} are allowed`;
    if (/\p{Cc}/u.test(value)) return `is ${shown(value)}; control characters are not allowed`;
    return undefined;
  },
  /** Never shows the value. */
  password(value) {
    const length = characters(value);
    if (length < shortestPassword || length > longestPassword)
      return `has ${length} characters; ${shortestPassword} to ${longestPassword} characters are allowed`;
    if (value.trim() === '') return 'is blank; at least one visible character is required';
    return undefined;
  },
} satisfies Record<string, Rule>;

/** Whether anybody can have this name. */
export const isUsername = (name: string): boolean => rules.username(name) === undefined;

/** @throws AppError INVALID_ARGUMENT that names all the fields that are wrong at once. */
export function checkFields(fields: Partial<Record<keyof typeof rules, string>>): void {
  const wrong: FieldViolation[] = [];
  for (const [field, value] of Object.entries(fields)) {
    const description = rules[field as keyof typeof rules](value);
    if (description !== undefined) wrong.push({ field, description });
  }
  if (wrong.length > 0) throw invalidFields(wrong);
}

/** @throws AppError INVALID_ARGUMENT unless it is a positive id. */
export function checkId(id: string): void {
  if (id === '0' || id.startsWith('-'))
    throw invalidFields([{ field: 'id', description: `is ${id}; a positive whole number is allowed` }]);
}

const changeable = ['username', 'email', 'full_name'] as const;

/**
 * Which fields an update replaces: all three without a mask, as published; none where the mask is empty.
 * @throws AppError INVALID_ARGUMENT for a path that is no field.
 */
export function maskedFields(mask: { paths: string[] } | null | undefined): readonly (keyof Profile)[] {
  if (mask == null || mask.paths.includes('*')) return changeable;
  const unknown = mask.paths.filter((path) => !(changeable as readonly string[]).includes(path));
  if (unknown.length === 0) return changeable.filter((field) => mask.paths.includes(field));
  const description = `has ${unknown.slice(0, 5).map(shown).join(', ')}; ${changeable.join(', ')} and * are allowed`;
  throw invalidFields([{ field: 'update_mask', description }]);
}

/** Beyond this many UTF-16 units a text is too long for every field, in whatever characters. */
const countedUnits = 1000;

/** As people count them: code points. What is far too long is told in UTF-16 units: counting megabytes would stop the process. */
function characters(value: string): number {
  if (value.length > countedUnits) return value.length;
  let count = 0;
  for (const _ of value) count++;
  return count;
}

/** A value as an error shows it: quoted, control characters escaped, never long. */
function shown(value: string): string {
  if (value === '') return 'empty';
  return value.length <= 80
    ? JSON.stringify(value)
    : `${JSON.stringify(value.slice(0, 80))}… (${value.length} characters)`;
}
