import { AppError } from '@parley/kit';
import type { CreateOrderRequest__Output } from '@parley/proto/order/CreateOrderRequest';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Catalogue } from './catalogue.ts';
import { page, price } from './validation.ts';

const catalogue = new Catalogue([
  { id: 'mug', name: 'Mug', description: '', currency_code: 'EUR', minor_units: 1290 },
  { id: 'yacht', name: 'Yacht', description: '', currency_code: 'EUR', minor_units: Number.MAX_SAFE_INTEGER },
  { id: 'tea', name: 'Tea', description: '', currency_code: 'JPY', minor_units: 500 },
]);
const request = (
  items: [string, number][],
  more: Partial<CreateOrderRequest__Output> = {},
): CreateOrderRequest__Output => ({
  items: items.map(([product_id, quantity]) => ({
    product_id,
    quantity,
    unit_price: { currency_code: 'USD', minor_units: '1' },
  })),
  card_token: 'tok_approve',
  idempotency_key: '',
  ...more,
});
function refused(wrong: CreateOrderRequest__Output): AppError {
  try {
    price(wrong, catalogue);
  } catch (error) {
    if (error instanceof AppError) return error;
  }
  throw new Error('it was taken');
}

test("prices are the catalogue's, whatever the caller says", () => {
  const priced = price(request([['mug', 2]]), catalogue);
  expect(priced).toMatchObject({ currencyCode: 'EUR', totalMinorUnits: 2580n });
  expect(priced.items[0]?.unit_price).toEqual({ currency_code: 'EUR', minor_units: '1290' });
});

test.each([
  ['no items', request([]), 'items', 'has 0 entries; 1 to 100 are allowed'],
  ['an unknown product', request([['kettle', 1]]), 'items[0].product_id', 'is "kettle", which is not in the catalogue'],
  ['a quantity of 0', request([['mug', 0]]), 'items[0].quantity', 'is 0; 1 to 1,000,000 are allowed'],
  ['a negative quantity', request([['mug', -1]]), 'items[0].quantity', 'is -1; 1 to 1,000,000 are allowed'],
  [
    'two currencies',
    request([
      ['mug', 1],
      ['tea', 1],
    ]),
    'items',
    'are priced in EUR and JPY',
  ],
  ['a total beyond 2^53', request([['yacht', 2]]), 'items', 'at most 9007199254740991 are allowed'],
  ['an unknown card', request([['mug', 1]], { card_token: '4111' }), 'card_token', 'tok_approve'],
  ['a long key', request([['mug', 1]], { idempotency_key: 'k'.repeat(129) }), 'idempotency_key', 'has 129 characters'],
] as const)('%s is refused, with the field and what is allowed', (_what, wrong, field, description) => {
  const { code, details } = refused(wrong);
  expect(code).toBe('INVALID_ARGUMENT');
  expect(details.fields).toContainEqual({ field, description: expect.stringContaining(description) });
});

test('whatever is asked for, the total is exact or the order is refused', () => {
  const item = fc.tuple(fc.constantFrom('mug', 'yacht'), fc.integer({ min: -2, max: 2_000_000 }));
  fc.assert(
    fc.property(fc.array(item, { maxLength: 5 }), (items) => {
      try {
        const { totalMinorUnits, items: priced } = price(request(items), catalogue);
        expect(totalMinorUnits).toBe(
          priced.reduce((sum, one) => sum + BigInt(one.unit_price.minor_units) * BigInt(one.quantity), 0n),
        );
        expect(Number.isSafeInteger(Number(totalMinorUnits))).toBe(true);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }),
  );
});

test.each([
  [0, 50],
  [-1, 50],
  [1, 1],
  [200, 200],
  [201, 200],
])('a page of %i has at most %i orders', (asked, size) => {
  expect(page(asked, '')).toEqual({ size, before: undefined });
});
