/** The OpenAPI 3.1 document, made from the same routes and messages that answer requests: the two cannot disagree. */
import type { Method } from '@parley/kit';
import { type Enumeration, type Field, requestShape, responseShape, type Scalar, type Shape } from '../json/shape.ts';
import { type Route, restRoutes } from '../rest/routes.ts';
import { byHand } from './by-hand.ts';

type Json = Record<string, unknown>;

const scalarSchemas: Record<Scalar, Json> = {
  string: { type: 'string' },
  bool: { type: 'boolean' },
  int32: { type: 'integer', format: 'int32' },
  int64: { type: 'string', format: 'int64', pattern: '^-?\\d{1,19}$' },
  double: { type: 'number', format: 'double' },
  bytes: { type: 'string', contentEncoding: 'base64' },
};

export function openApi(): Json {
  const routes = restRoutes();
  const schemas: Record<string, Json> = { Problem: problem };
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    paths[route.template] ??= {};
    paths[route.template]![route.verb.toLowerCase()] = operation(route, schemas);
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Parley',
      version: '1.0.0',
      description:
        'Users, rooms, orders and payments. 64-bit integers are strings. Errors are problem documents (RFC 9457).',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: '/' }],
    paths: { ...paths, ...byHand },
    components: {
      schemas,
      responses: {
        Problem: {
          description: 'What went wrong, by the gRPC code in `code`.',
          headers: {
            'X-Request-Id': { schema: { type: 'string' } },
            'Retry-After': { description: 'With 429 and 503: seconds.', schema: { type: 'integer' } },
          },
          content: { 'application/problem+json': { schema: ref('Problem') } },
        },
      },
      securitySchemes: {
        token: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT' },
        refresh: { type: 'apiKey', in: 'cookie', name: 'parley_refresh' },
      },
    },
    tags: [...new Set(routes.map(({ method }) => tagOf(method)))].map((name) => ({ name })),
  };
}

function operation({ method, parameters, hasBody, verb }: Route, schemas: Record<string, Json>): Json {
  const request = requestShape(method);
  const rest = [...request.fields.values()].filter(({ name }) => !parameters.includes(name));
  const inPath = parameters.map((name) => parameter('path', request.fields.get(name)!, schemas));
  const isPaged = request.fields.has('page_size') && request.fields.has('page_token');
  const inQuery = hasBody
    ? []
    : rest.map((field) => ({ ...parameter('query', field, schemas), ...(isPaged ? pageParameters[field.name] : {}) }));
  const inHeader = rest.some(({ name }) => name === 'idempotency_key') ? [idempotencyKey] : [];
  return {
    operationId: method.name.charAt(0).toLowerCase() + method.name.slice(1),
    summary: method.name.replace(/(?<=[a-z])[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`),
    tags: [tagOf(method)],
    parameters: [...inPath, ...inQuery, ...inHeader],
    ...(hasBody && rest.length > 0 ? { requestBody: body(objectOf(rest, schemas), verb) } : {}),
    responses: {
      '200': {
        description: 'OK',
        content: { 'application/json': { schema: message(responseShape(method), schemas) } },
      },
      default: { $ref: '#/components/responses/Problem' },
    },
    security: securityOf(method),
  };
}

function securityOf({ service, name }: Method): Json[] {
  if (service !== 'auth.AuthService') return [{}, { token: [] }];
  return name === 'Refresh' || name === 'Logout' ? [{}, { refresh: [] }] : [{}];
}

const body = (schema: Json, verb: string): Json => ({
  required: verb === 'PATCH',
  content: { 'application/json': { schema } },
});

function parameter(where: 'path' | 'query', field: Field, schemas: Record<string, Json>): Json {
  return { name: field.name, in: where, required: where === 'path', schema: typeSchema(field.type, schemas) };
}

/** What lists other than users say of their pages. */
const pageParameters: Record<string, Json> = {
  page_size: {
    description: 'How many at most.',
    schema: { type: 'integer', format: 'int32', default: 50, maximum: 200 },
  },
  page_token: { description: 'The next_page_token of the page before; empty for the first.' },
};

const idempotencyKey: Json = {
  name: 'Idempotency-Key',
  in: 'header',
  description: 'The same request with the same key counts once.',
  schema: { type: 'string', minLength: 1, maxLength: 128 },
};

/** A message as a schema of its own, named in components. */
function message(shape: Shape, schemas: Record<string, Json>): Json {
  if (shape.name === 'google.protobuf.FieldMask') return { type: 'string', description: 'Field names, with commas.' };
  const name = shape.name;
  if (!(name in schemas)) {
    schemas[name] = {}; // Before its fields, which may name it.
    schemas[name] = objectOf([...shape.fields.values()], schemas);
  }
  return ref(name);
}

function objectOf(fields: Field[], schemas: Record<string, Json>): Json {
  const properties = Object.fromEntries(fields.map((field) => [field.name, fieldSchema(field, schemas)]));
  return { type: 'object', properties, additionalProperties: false };
}

function fieldSchema({ type, repeated }: Field, schemas: Record<string, Json>): Json {
  const schema = typeSchema(type, schemas);
  return repeated ? { type: 'array', items: schema } : schema;
}

function typeSchema(type: Scalar | Enumeration | Shape, schemas: Record<string, Json>): Json {
  if (typeof type === 'string') return scalarSchemas[type];
  if (type.kind === 'message') return message(type, schemas);
  schemas[type.name] ??= { type: 'string', enum: [...type.values.keys()] };
  return ref(type.name);
}

const ref = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });
const tagOf = ({ service }: Method) => service.slice(0, service.indexOf('.'));

const problem: Json = {
  type: 'object',
  required: ['type', 'title', 'status', 'detail', 'code', 'request_id', 'errors'],
  properties: {
    type: { type: 'string' },
    title: { type: 'string' },
    status: { type: 'integer' },
    detail: { type: 'string' },
    code: { type: 'string', description: "The gRPC code's name, such as NOT_FOUND." },
    reason: { type: 'string', description: 'Such as KEY_REUSED.' },
    request_id: { type: 'string' },
    errors: {
      type: 'array',
      items: { type: 'object', properties: { field: { type: 'string' }, description: { type: 'string' } } },
    },
  },
};
