import { AppError, type Method } from '@parley/kit';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { requestShape, responseShape, type Shape } from '../json/shape.ts';
import { toJson } from '../json/write.ts';
import { matchRoute, restRoutes } from './routes.ts';
import { transcode } from './transcode.ts';

const routes = restRoutes();

function read(verb: string, url: string, body?: unknown, idempotencyKey?: string) {
  const [path = '', query = ''] = url.split('?');
  const match = matchRoute(routes, verb, path);
  if (Array.isArray(match)) throw new Error(`only ${match}`);
  return { name: match.route.method.name, message: transcode(match, { query, body, idempotencyKey }) };
}

const wrongFields = (work: () => unknown): string[] => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(AppError);
    expect((error as AppError).code).toBe('INVALID_ARGUMENT');
    return (error as AppError).details.fields!.map(({ field }) => field);
  }
  return expect.unreachable();
};

test.each([
  ['POST', '/v1/users', 'CreateUser'],
  ['GET', '/v1/users', 'ListUsers'],
  ['GET', '/v1/users/5', 'GetUser'],
  ['PATCH', '/v1/users/5', 'UpdateUser'],
  ['DELETE', '/v1/users/5', 'DeleteUser'],
  ['GET', '/v1/rooms', 'ListRooms'],
  ['GET', '/v1/rooms/a.b-c', 'GetRoomInfo'],
  ['POST', '/v1/rooms/r/messages', 'SendMessage'],
  ['GET', '/v1/rooms/r/messages', 'ListMessages'],
  ['DELETE', '/v1/rooms/r/messages/m1', 'RemoveMessage'],
  ['POST', '/v1/rooms/r:markRead', 'MarkRead'],
  ['POST', '/v1/rooms/r/members/5:mute', 'MuteMember'],
  ['DELETE', '/v1/rooms/r/members/5', 'RemoveMember'],
  ['POST', '/v1/orders', 'CreateOrder'],
  ['GET', '/v1/orders', 'ListOrders'],
  ['GET', '/v1/orders/o1', 'GetOrder'],
  ['POST', '/v1/orders/o1:cancel', 'CancelOrder'],
  ['GET', '/v1/products', 'ListProducts'],
  ['GET', '/v1/payments/p1', 'GetPayment'],
  ['POST', '/v1/auth/register', 'Register'],
  ['POST', '/v1/auth/login', 'Login'],
  ['POST', '/v1/auth/refresh', 'Refresh'],
  ['POST', '/v1/auth/logout', 'Logout'],
])('%s %s is %s', (verb, path, name) => {
  expect(read(verb, path).name).toBe(name);
});

test('a known path with another verb says which are allowed; another path is NOT_FOUND', () => {
  expect(matchRoute(routes, 'PUT', '/v1/users')).toEqual(['POST', 'GET']);
  for (const path of ['/v1/nothing', '/v1/users/', '/v1/users/5/x', '/v1/orders/o1:pay', '/v1/rooms/a/b']) {
    expect(() => matchRoute(routes, 'GET', path)).toThrow('there is nothing at this path');
  }
});

test('path, query and body become typed fields', () => {
  expect(read('GET', '/v1/users?page=2&page_size=50').message).toEqual({ page: 2, page_size: 50 });
  expect(read('GET', '/v1/users/9007199254740993').message).toEqual({ id: '9007199254740993' });
  expect(read('GET', '/v1/rooms/caf%C3%A9').message).toEqual({ room_id: 'café' });
  expect(read('POST', '/v1/orders', { items: [{ product_id: 'p', quantity: 2 }] }).message).toEqual({
    items: [{ product_id: 'p', quantity: 2 }],
  });
  expect(read('POST', '/v1/rooms/r/members/5:mute', { seconds: '60' }).message).toEqual({
    room_id: 'r',
    user_id: '5',
    seconds: '60',
  });
});

test('PATCH changes what the body names', () => {
  expect(read('PATCH', '/v1/users/5', { email: 'x', full_name: '' }).message).toEqual({
    id: '5',
    email: 'x',
    full_name: '',
    update_mask: { paths: ['email', 'full_name'] },
  });
  expect(read('PATCH', '/v1/users/5', { email: 'x', update_mask: 'email,username' }).message.update_mask).toEqual({
    paths: ['email', 'username'],
  });
});

test('null in a PATCH clears the field, since it is JSON for the default', () => {
  expect(read('PATCH', '/v1/users/5', { id: null, email: 'x', full_name: null, update_mask: null }).message).toEqual({
    id: '5',
    email: 'x',
    update_mask: { paths: ['email', 'full_name'] },
  });
  expect(read('PATCH', '/v1/users/5', undefined).message).toEqual({ id: '5', update_mask: { paths: [] } });
});

test('Idempotency-Key fills the field of that name, where there is one', () => {
  expect(read('POST', '/v1/orders', {}, 'k1').message).toEqual({ idempotency_key: 'k1' });
  expect(read('POST', '/v1/users', {}, 'k1').message).toEqual({});
  expect(wrongFields(() => read('POST', '/v1/orders', { idempotency_key: 'k2' }, 'k1'))).toEqual(['idempotency_key']);
  expect(wrongFields(() => read('POST', '/v1/orders', {}, ''))).toEqual(['idempotency_key']);
});

test('lists come in pages of 50 where no size is asked for', () => {
  expect(read('GET', '/v1/rooms').message).toEqual({ page_size: 50 });
  expect(read('GET', '/v1/orders?page_size=0&page_token=t').message).toEqual({ page_size: 50, page_token: 't' });
  expect(read('GET', '/v1/rooms?page_size=7').message).toEqual({ page_size: 7 });
  expect(read('GET', '/v1/users').message).toEqual({});
});

test('everything that is wrong is named at once', () => {
  const body = { username: 5, email: null, full_name: 'x'.repeat(3), nope: 1, __proto__: {} };
  expect(wrongFields(() => read('POST', '/v1/users', JSON.parse(JSON.stringify(body))))).toEqual(['username', 'nope']);
  expect(wrongFields(() => read('POST', '/v1/users', JSON.parse('{"__proto__":{},"constructor":1}')))).toEqual([
    '__proto__',
    'constructor',
  ]);
  expect(wrongFields(() => read('GET', '/v1/users?page=x&page_size=1.5&q=1&page=2'))).toEqual([
    'page',
    'page_size',
    'q',
    'page',
  ]);
  expect(wrongFields(() => read('GET', '/v1/users/abc'))).toEqual(['id']);
  expect(wrongFields(() => read('PATCH', '/v1/users/5', { id: '6' }))).toEqual(['id']);
  expect(wrongFields(() => read('POST', '/v1/users?username=x', {}))).toEqual(['username']);
  expect(wrongFields(() => read('POST', '/v1/users', []))).toEqual(['']);
  expect(wrongFields(() => read('POST', '/v1/users', { username: '\ud800' }))).toEqual(['username']);
  const items = [{ product_id: 'p', quantity: '1' }, { quantity: 2 ** 31 }, 'x'];
  expect(wrongFields(() => read('POST', '/v1/orders', { items }))).toEqual(['items[1].quantity', 'items[2]']);
});

test('a 64-bit number that JSON has rounded already is refused, and so is one beyond 64 bits', () => {
  const id = (value: unknown) => () => read('PATCH', '/v1/users/1', { id: value });
  for (const value of [2 ** 53, 1.5, '9223372036854775808', '1e3', '', true])
    expect(wrongFields(id(value))).toContain('id');
});

/** Any message of a shape, as a caller may write it. */
function anyOf(shape: Shape): fc.Arbitrary<Record<string, unknown>> {
  const fields = [...shape.fields.values()].map(({ name, type, repeated }) => {
    const one: fc.Arbitrary<unknown> =
      typeof type === 'object'
        ? type.kind === 'message'
          ? anyOf(type)
          : fc.constantFrom(...type.values.keys())
        : type === 'bool'
          ? fc.boolean()
          : type === 'int32'
            ? fc.integer()
            : type === 'int64'
              ? fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map(String)
              : fc.string({ unit: 'grapheme' });
    return [name, repeated ? fc.array<unknown>(one, { maxLength: 3 }) : one] as const;
  });
  return fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>, { requiredKeys: [] });
}

test('what a caller writes is what the service reads, for every method', () => {
  for (const { method, hasBody, parameters, verb } of routes.filter((route) => route.hasBody)) {
    const shape = requestShape(method);
    const all = anyOf(shape).map((body) =>
      Object.fromEntries(Object.entries(body).filter(([name]) => !parameters.includes(name))),
    );
    const path = Object.fromEntries(parameters.map((name) => [name, '7']));
    fc.assert(
      fc.property(all, (body) => {
        const route = { verb, template: '', parameters, pattern: /x/, hasBody, method };
        const message = transcode({ route, parameters: path }, { query: '', body, idempotencyKey: undefined });
        const arrived = method.decodeRequest(method.encodeRequest(message)) as Record<string, unknown>;
        expect(toJson(shape, arrived)).toMatchObject({ ...body, ...path });
      }),
      { numRuns: 30 },
    );
  }
});

test('an answer has its defaults and its empty lists, and no member that is not set', () => {
  const answer = (name: string, message: object) => {
    const method = routes.find((route) => route.method.name === name)!.method as Method;
    return toJson(
      responseShape(method),
      method.decodeResponse(method.encodeResponse(message)) as Record<string, unknown>,
    );
  };
  expect(answer('ListRooms', {})).toEqual({ rooms: [], next_page_token: '' });
  expect(answer('GetOrder', { order: { user_id: '9007199254740993', state: 'PAID' } })).toEqual({
    order: {
      id: '',
      user_id: '9007199254740993',
      state: 'PAID',
      items: [],
      payment_id: '',
      reason: '',
      version: '0',
      created_at: '',
      updated_at: '',
    },
  });
});

test('whatever a body holds, it is read or refused with INVALID_ARGUMENT', () => {
  const bodied = routes.filter((route) => route.hasBody);
  fc.assert(
    fc.property(fc.constantFrom(...bodied), fc.jsonValue(), fc.string(), (route, body, query) => {
      const parameters = Object.fromEntries(route.parameters.map((name) => [name, 'x']));
      try {
        const message = transcode({ route, parameters }, { query, body, idempotencyKey: undefined });
        route.method.encodeRequest(message);
      } catch (error) {
        expect((error as AppError).code).toBe('INVALID_ARGUMENT');
      }
    }),
    { numRuns: 5000 },
  );
});
