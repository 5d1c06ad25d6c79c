/** Messages to JSON as the contract has it: proto names, defaults and empty lists present, 64-bit integers as strings. */
import type { Message } from './read.ts';
import type { Field, Shape } from './shape.ts';

/** A message as kit decodes it, ready for JSON.stringify; absent messages and optional fields are left out. */
export function toJson(shape: Shape, message: Message): Message {
  const json: Message = {};
  for (const field of shape.fields.values()) {
    const value = message[field.name];
    if (value !== undefined && value !== null) json[field.name] = jsonOf(field, value);
    else if (field.repeated) json[field.name] = [];
  }
  return json;
}

function jsonOf({ type, repeated }: Field, value: unknown): unknown {
  if (typeof type === 'string' || type.kind === 'enum') return value;
  return repeated ? (value as Message[]).map((item) => toJson(type, item)) : toJson(type, value as Message);
}
