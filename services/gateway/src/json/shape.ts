/** The API's messages as the gateway sees them: which fields there are and of which type, read from the protos. */
import { type Method, packageDefinition } from '@parley/kit';

export type Scalar = 'string' | 'bool' | 'int32' | 'int64' | 'double' | 'bytes';

export interface Field {
  name: string;
  repeated: boolean;
  /** Absent is another thing than the default. */
  optional: boolean;
  type: Scalar | Enumeration | Shape;
}

export interface Enumeration {
  kind: 'enum';
  name: string;
  values: Map<string, number>;
}

export interface Shape {
  kind: 'message';
  /** `chat.ChatMessage`. */
  name: string;
  fields: Map<string, Field>;
}

/** What a descriptor says, as far as we ask it. */
interface Descriptor {
  name: string;
  field?: { name: string; label: string; type: string; typeName: string }[];
  oneofDecl?: { name: string }[];
  value?: { name: string; number: number }[];
}

const scalars: Record<string, Scalar> = {
  TYPE_STRING: 'string',
  TYPE_BOOL: 'bool',
  TYPE_INT32: 'int32',
  TYPE_INT64: 'int64',
  TYPE_DOUBLE: 'double',
  TYPE_BYTES: 'bytes',
};

const shapes = new Map<string, Shape>();

/** The message of this full name. @throws Error where the protos have none. */
export function shapeOf(name: string): Shape {
  const known = shapes.get(name);
  if (known) return known;
  const descriptor = descriptorOf(name);
  const shape: Shape = { kind: 'message', name, fields: new Map() };
  shapes.set(name, shape); // Before its fields, which may name it.
  const scope = name.slice(0, name.lastIndexOf('.'));
  const optional = new Set(descriptor.oneofDecl?.map((oneof) => oneof.name));
  for (const field of descriptor.field ?? []) {
    const type = scalars[field.type] ?? typeNamed(field.typeName, scope, field.type);
    const repeated = field.label === 'LABEL_REPEATED';
    shape.fields.set(field.name, { name: field.name, repeated, optional: optional.has(`_${field.name}`), type });
  }
  return shape;
}

export function requestShape({ service, definition }: Method): Shape {
  return shapeOf(resolve((definition.requestType.type as Descriptor).name, packageOf(service)));
}

export function responseShape({ service, definition }: Method): Shape {
  return shapeOf(resolve((definition.responseType.type as Descriptor).name, packageOf(service)));
}

const packageOf = (service: string) => service.slice(0, service.lastIndexOf('.'));

function typeNamed(typeName: string, scope: string, type: string): Enumeration | Shape {
  const name = resolve(typeName, scope);
  if (type === 'TYPE_MESSAGE') return shapeOf(name);
  if (type !== 'TYPE_ENUM') throw new Error(`${name}: fields of ${type} have no JSON form here yet`);
  const values = new Map(descriptorOf(name).value?.map((value) => [value.name, value.number]));
  return { kind: 'enum', name, values };
}

/** A type's full name, as protobuf finds it: from the innermost scope outwards. */
function resolve(typeName: string, scope: string): string {
  const all = packageDefinition();
  if (typeName.startsWith('.')) return typeName.slice(1);
  for (let within = scope; within !== ''; within = within.slice(0, Math.max(0, within.lastIndexOf('.')))) {
    if (`${within}.${typeName}` in all) return `${within}.${typeName}`;
  }
  return typeName;
}

function descriptorOf(name: string): Descriptor {
  const found = packageDefinition()[name] as { type?: Descriptor } | undefined;
  if (found?.type === undefined) throw new Error(`the protos declare no ${name}`);
  return found.type;
}
