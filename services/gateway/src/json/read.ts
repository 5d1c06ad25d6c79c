/** JSON to messages: every field is checked against the proto, and everything that is wrong is named at once. */
import { type FieldViolation, invalidFields } from '@parley/kit';
import type { Field, Scalar, Shape } from './shape.ts';

export type Message = Record<string, unknown>;

/** A caller is told of so many mistakes, and not of a million. */
const mostViolations = 20;

/** Collects what is wrong with a request, to be told together. */
export class Violations {
  readonly found: FieldViolation[] = [];

  add(field: string, description: string): void {
    if (this.found.length < mostViolations) this.found.push({ field: shortened(field, 200), description });
  }

  /** @throws AppError INVALID_ARGUMENT that names every field that is wrong, if any is. */
  check(): void {
    if (this.found.length > 0) throw invalidFields(this.found);
  }
}

/** Reads a message from parsed JSON; what is wrong is added to `wrong`. @param path of this value in the request */
export function readMessage(shape: Shape, value: unknown, path: string, wrong: Violations): Message {
  const message: Message = {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    wrong.add(path, `${path === '' ? 'what was sent ' : ''}is ${shown(value)}; a JSON object is allowed`);
    return message;
  }
  for (const [name, content] of Object.entries(value)) {
    const field = shape.fields.get(name);
    const at = path === '' ? name : `${path}.${name}`;
    if (field === undefined) wrong.add(at, 'is not a field of this request');
    else if (content !== null) message[name] = readField(field, content, at, wrong);
  }
  return message;
}

function readField(field: Field, value: unknown, path: string, wrong: Violations): unknown {
  if (!field.repeated) return readValue(field, value, path, wrong);
  if (Array.isArray(value)) return value.map((item, index) => readValue(field, item, `${path}[${index}]`, wrong));
  wrong.add(path, `is ${shown(value)}; a list is allowed`);
  return [];
}

function readValue({ type }: Field, value: unknown, path: string, wrong: Violations): unknown {
  if (typeof type === 'string') {
    const read = scalarReaders[type](value);
    if (typeof read === 'object') wrong.add(path, `is ${shown(value)}; ${read.allowed}`);
    else return read;
  } else if (type.kind === 'message') {
    return readMessage(type, value, path, wrong);
  } else if (typeof value === 'string' && type.values.has(value)) {
    return value;
  } else {
    wrong.add(path, `is ${shown(value)}; ${[...type.values.keys()].join(', ')} are allowed`);
  }
  return undefined;
}

interface Refused {
  allowed: string;
}
type ScalarReader = (value: unknown) => string | number | boolean | Refused;

const scalarReaders: Record<Scalar, ScalarReader> = {
  string(value) {
    if (typeof value !== 'string') return { allowed: 'a string is allowed' };
    return value.isWellFormed() ? value : { allowed: 'text that is valid Unicode is allowed' };
  },
  bool: (value) => (typeof value === 'boolean' ? value : { allowed: 'true or false is allowed' }),
  int32(value) {
    const number = typeof value === 'string' && /^-?\d{1,10}$/.test(value) ? Number(value) : value;
    if (typeof number === 'number' && Number.isInteger(number) && Math.abs(number + 0.5) <= 2 ** 31 - 0.5)
      return number;
    return { allowed: 'a whole number from -2147483648 to 2147483647 is allowed' };
  },
  int64(value) {
    const text = typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : value;
    if (typeof text === 'string' && /^-?\d{1,19}$/.test(text) && BigInt.asIntN(64, BigInt(text)) === BigInt(text)) {
      return BigInt(text).toString();
    }
    return { allowed: 'a whole number of 64 bits is allowed, as a string beyond 9007199254740991' };
  },
  double: (value) => (typeof value === 'number' ? value : { allowed: 'a number is allowed' }),
  bytes: (value) =>
    typeof value === 'string' && /^[A-Za-z0-9+/]*={0,2}$/.test(value) ? value : { allowed: 'base64 is allowed' },
};

/** Reads a field from the text of a path or a query parameter. */
export function readText(field: Field, text: string, path: string, wrong: Violations): unknown {
  if (field.repeated || (typeof field.type === 'object' && field.type.kind === 'message')) {
    wrong.add(path, 'cannot be given in the URL');
    return undefined;
  }
  const value = field.type === 'bool' && (text === 'true' || text === 'false') ? text === 'true' : text;
  return readValue(field, value, path, wrong);
}

/** A value as an error message quotes it: never much of it. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object' && value !== null) return 'an object';
  return typeof value === 'string' ? JSON.stringify(shortened(value.toWellFormed(), 60)) : String(value);
}

const shortened = (text: string, most: number) => (text.length > most ? `${text.slice(0, most)}…` : text);
