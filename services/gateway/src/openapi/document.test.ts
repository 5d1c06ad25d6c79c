import { expect, test } from 'vitest';
import { restRoutes } from '../rest/routes.ts';
import { openApi } from './document.ts';

const document = openApi() as {
  openapi: string;
  paths: Record<string, Record<string, { operationId: string; parameters?: { name: string; in: string }[] }>>;
  components: { schemas: Record<string, object> };
};

test('every route of the protos is described, by the same path and verb', () => {
  expect(document.openapi).toBe('3.1.0');
  for (const { template, verb, parameters } of restRoutes()) {
    const operation = document.paths[template]![verb.toLowerCase()]!;
    expect(operation.parameters!.filter((one) => one.in === 'path').map(({ name }) => name)).toEqual(parameters);
  }
});

test('every reference leads somewhere, and every operation has a name of its own', () => {
  const references = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)].map((match) => match[1]!);
  expect(references.length).toBeGreaterThan(50);
  for (const reference of new Set(references)) {
    const found = reference.split('/').reduce<unknown>((at, key) => (at as Record<string, unknown>)?.[key], document);
    expect([reference, typeof found]).toEqual([reference, 'object']);
  }
  const names = Object.values(document.paths).flatMap((path) =>
    Object.values(path).map(({ operationId }) => operationId),
  );
  expect(new Set(names).size).toBe(names.length);
});

test('a list in pages says how long they are', () => {
  for (const path of ['/v1/rooms', '/v1/orders']) {
    expect(document.paths[path]!['get']!.parameters).toContainEqual(
      expect.objectContaining({ name: 'page_size', schema: expect.objectContaining({ default: 50, maximum: 200 }) }),
    );
  }
});

test('64-bit integers are strings, and enums are their names', () => {
  const schemas = document.components.schemas as Record<
    string,
    { properties: Record<string, object>; enum?: string[] }
  >;
  expect(schemas['user.User']!.properties['id']).toMatchObject({ type: 'string', format: 'int64' });
  expect(schemas['order.OrderState']!.enum).toContain('AWAITING_PAYMENT');
});
