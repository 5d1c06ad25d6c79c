import type { Schema } from './schema.ts';

/** What is wrong with a value, and which of its fields the schema does not know. */
export interface Verdict {
  problems: string[];
  unknown: string[];
}

/**
 * Holds a value against the schema that this operator was built with. The API server has done so with the schema that
 * is installed; they differ where that one is newer, or an object older than a rule.
 * @param path the value's own name, as it shall appear in messages
 */
export function validate(schema: Schema, value: unknown, path: string): Verdict {
  const verdict: Verdict = { problems: [], unknown: [] };
  check(schema, value, path, verdict);
  return verdict;
}

function check(schema: Schema, value: unknown, path: string, verdict: Verdict): void {
  const actual = typeOf(value);
  if (actual !== schema.type) {
    verdict.problems.push(
      `${path} is ${actual === 'null' ? 'empty' : `of type ${actual}`}; it must be of type ${schema.type}`,
    );
    return;
  }
  if (schema.type === 'object') checkObject(schema, value as Record<string, unknown>, path, verdict);
  else if (schema.type === 'array') checkArray(schema, value as unknown[], path, verdict);
  else if (schema.type === 'string') checkString(schema, value as string, path, verdict);
  else if (schema.type === 'integer') {
    const { minimum = -Infinity, maximum = Infinity } = schema;
    const number = value as number;
    if (number < minimum || number > maximum) verdict.problems.push(`${path} is ${number}; ${minimum} to ${maximum}`);
  }
}

function checkObject(schema: Schema, value: Record<string, unknown>, path: string, verdict: Verdict): void {
  for (const name of schema.required ?? []) {
    if (value[name] === undefined) verdict.problems.push(`${path}.${name} is missing`);
  }
  for (const [name, field] of Object.entries(value)) {
    const known = schema.properties?.[name];
    if (!known) verdict.unknown.push(`${path}.${name}`);
    else if (field !== undefined) check(known, field, `${path}.${name}`, verdict);
  }
}

function checkArray(schema: Schema, value: unknown[], path: string, verdict: Verdict): void {
  const { minItems = 0, maxItems = Infinity, items } = schema;
  if (value.length < minItems || value.length > maxItems) {
    verdict.problems.push(`${path} has ${value.length} items; ${minItems} to ${maxItems}`);
  }
  if (items) for (const [i, item] of value.entries()) check(items, item, `${path}[${i}]`, verdict);
}

function checkString(schema: Schema, value: string, path: string, verdict: Verdict): void {
  const { minLength = 0, maxLength = Infinity } = schema;
  const length = [...value].length;
  if (length < minLength || length > maxLength) {
    verdict.problems.push(`${path} has ${length} characters; ${minLength} to ${maxLength}`);
  } else if (schema.enum && !schema.enum.includes(value)) {
    verdict.problems.push(`${path} is ${JSON.stringify(value)}; one of ${schema.enum.join(', ')}`);
  } else if (schema.pattern && !new RegExp(schema.pattern, 'u').test(value)) {
    verdict.problems.push(`${path} is ${JSON.stringify(value)}; it must match ${schema.pattern}`);
  }
}

function typeOf(value: unknown): string {
  if (value === null || value === undefined) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
}
