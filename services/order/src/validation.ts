import { createHash } from 'node:crypto';
import { type FieldViolation, invalid, invalidFields } from '@parley/kit';
import type { CreateOrderRequest__Output } from '@parley/proto/order/CreateOrderRequest';
import type { Catalogue } from './catalogue.ts';
import type { OrderItem } from './schema.ts';

/** Amounts are exact in every JSON client up to here. */
const largestTotal = BigInt(Number.MAX_SAFE_INTEGER);
const mostItems = 100;
const largestQuantity = 1_000_000;
export const cardTokens = ['tok_approve', 'tok_decline', 'tok_timeout', 'tok_late', 'tok_twice'];

/** An order whose prices are the catalogue's. */
export interface PricedOrder {
  items: OrderItem[];
  currencyCode: string;
  totalMinorUnits: bigint;
  cardToken: string;
  key: string;
  /** Of what the caller asked for: the same key with another hash is a mistake of his. */
  requestHash: string;
}

/** @throws AppError INVALID_ARGUMENT that names every field that is wrong, its value and what is allowed. */
export function price(request: CreateOrderRequest__Output, catalogue: Catalogue): PricedOrder {
  const wrong: FieldViolation[] = [];
  const refuse = (field: string, description: string) => wrong.push({ field, description });
  if (request.items.length < 1 || request.items.length > mostItems) {
    refuse('items', `has ${request.items.length} entries; 1 to ${mostItems} are allowed`);
  }
  const items: OrderItem[] = [];
  for (const [index, { product_id, quantity }] of request.items.slice(0, mostItems).entries()) {
    const product = catalogue.find(product_id);
    if (product === undefined) {
      refuse(
        `items[${index}].product_id`,
        `is ${JSON.stringify(product_id)}, which is not in the catalogue; GET /v1/products lists it`,
      );
    }
    if (quantity < 1 || quantity > largestQuantity) {
      refuse(`items[${index}].quantity`, `is ${quantity}; 1 to ${largestQuantity.toLocaleString('en')} are allowed`);
    }
    if (product === undefined) continue;
    items.push({
      product_id,
      quantity,
      unit_price: { currency_code: product.currency_code, minor_units: String(product.minor_units) },
    });
  }
  const currencies = new Set(items.map((item) => item.unit_price.currency_code));
  if (currencies.size > 1)
    refuse('items', `are priced in ${[...currencies].join(' and ')}; one currency an order is allowed`);
  const total = items.reduce(
    (sum, item) => sum + BigInt(item.unit_price.minor_units) * BigInt(Math.max(item.quantity, 0)),
    0n,
  );
  if (total > largestTotal) refuse('items', `cost ${total} minor units together; at most ${largestTotal} are allowed`);
  if (!cardTokens.includes(request.card_token)) {
    refuse(
      'card_token',
      `is ${request.card_token === '' ? 'empty' : 'not a known card'}; ${cardTokens.join(', ')} are allowed`,
    );
  }
  if (/\p{Cc}/u.test(request.idempotency_key)) {
    refuse('idempotency_key', `is ${JSON.stringify(request.idempotency_key)}; control characters are not allowed`);
  } else if (request.idempotency_key.length > 128) {
    refuse('idempotency_key', `has ${request.idempotency_key.length} characters; 1 to 128 are allowed`);
  }
  if (wrong.length > 0) throw invalidFields(wrong);
  return {
    items,
    currencyCode: items[0]?.unit_price.currency_code as string,
    totalMinorUnits: total,
    cardToken: request.card_token,
    key: request.idempotency_key,
    requestHash: hashOf(request),
  };
}

function hashOf({ items, card_token }: CreateOrderRequest__Output): string {
  const asked = [items.map(({ product_id, quantity }) => [product_id, quantity]), card_token];
  return createHash('sha256').update(JSON.stringify(asked)).digest('hex');
}

const usualPage = 50;
const largestPage = 200;

/** A page's size, which is never an error, and where it begins. @throws AppError INVALID_ARGUMENT */
export function page(asked: number, token: string): { size: number; before: string | undefined } {
  const size = asked < 1 ? usualPage : Math.min(asked, largestPage);
  if (token === '') return { size, before: undefined };
  const before = Buffer.from(token, 'base64url').toString();
  if (!/^ord_[0-9a-f-]{36}$/.test(before))
    throw invalid('page_token', 'is none that this service gave: use next_page_token of the page before');
  return { size, before };
}

const newestVersion = 2_147_483_647;

/** The version behind which a watch begins: whatever is asked for, one that an order may have. */
export const versionAfter = (asked: string): number => Math.min(Math.max(Number(asked), 0), newestVersion);

export const tokenOf = (id: string): string => Buffer.from(id).toString('base64url');
