/** An HTTP request to a message: the path, the query or the body, and the Idempotency-Key header. */
import { type Message, readMessage, readText, Violations } from '../json/read.ts';
import { requestShape, type Shape } from '../json/shape.ts';
import { decoded, type Match } from './routes.ts';

export interface HttpInput {
  /** Behind the question mark, as it came. */
  query: string;
  /** The parsed body; undefined where there was none. */
  body: unknown;
  idempotencyKey: string | undefined;
}

/** The request message. @throws AppError INVALID_ARGUMENT that names every field that is wrong. */
export function transcode({ route, parameters }: Match, { query, body, idempotencyKey }: HttpInput): Message {
  const shape = requestShape(route.method);
  const wrong = new Violations();
  const message = route.hasBody ? fromBody(shape, body, wrong) : {};
  if (route.verb === 'PATCH') maskWhatIsPresent(shape, message, body, route.parameters);
  Object.assign(message, fromQuery(shape, query, route.hasBody, wrong));
  for (const [name, text] of Object.entries(parameters)) {
    const value = readText(shape.fields.get(name)!, text, name, wrong);
    if (message[name] !== undefined && String(message[name]) !== String(value)) {
      wrong.add(name, 'is one thing in the path and another in the request: leave it out there');
    }
    message[name] = value;
  }
  if (idempotencyKey !== undefined && shape.fields.has('idempotency_key')) {
    if ((message.idempotency_key ?? idempotencyKey) !== idempotencyKey) {
      wrong.add('idempotency_key', 'is one thing in the header and another in the body: give one of them');
    }
    // In the message an empty key is none: whoever sends the header believes that he has one.
    if (idempotencyKey === '') wrong.add('idempotency_key', 'is empty in the header; 1 to 128 characters are allowed');
    message.idempotency_key = idempotencyKey;
  }
  if (isPaged(shape) && !(Number(message.page_size) > 0)) message.page_size = pageSize;
  wrong.check();
  return message;
}

/** A list over HTTP is answered in pages also where gRPC gives a caller that asks for no size everything at once. */
const pageSize = 50;

const isPaged = ({ fields }: Shape) => fields.has('page_size') && fields.has('page_token');

function fromBody(shape: Shape, body: unknown, wrong: Violations): Message {
  return body === undefined ? {} : readMessage(shape, withMaskAsList(body), '', wrong);
}

function fromQuery(shape: Shape, query: string, hasBody: boolean, wrong: Violations): Message {
  const message: Message = {};
  for (const pair of query.split('&')) {
    if (pair === '') continue;
    const [name = '', text = ''] = pair
      .split(/=(.*)/s, 2)
      .map((part) => decoded(part.replaceAll('+', ' '), 'the query'));
    const field = shape.fields.get(name);
    if (field === undefined || hasBody) wrong.add(name, 'is not a query parameter of this request');
    else if (name in message) wrong.add(name, 'is given more than once');
    else message[name] = readText(field, text, name, wrong);
  }
  return message;
}

/** A PATCH changes the fields that it names and no others; null is a field's default in JSON, so that it clears one. */
function maskWhatIsPresent(shape: Shape, message: Message, body: unknown, parameters: string[]): void {
  if (!shape.fields.has('update_mask') || message.update_mask !== undefined) return;
  const elsewhere = ['update_mask', ...parameters];
  const present = Object.keys(body ?? {}).filter((name) => shape.fields.has(name) && !elsewhere.includes(name));
  message.update_mask = { paths: present };
}

/** JSON has a FieldMask as `"username,email"`. */
function withMaskAsList(body: unknown): unknown {
  const mask = (body as { update_mask?: unknown } | null)?.update_mask;
  if (typeof mask !== 'string') return body;
  return { ...(body as object), update_mask: { paths: mask.split(',').filter((path) => path !== '') } };
}
