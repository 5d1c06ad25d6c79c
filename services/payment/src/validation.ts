import { type FieldViolation, invalid, invalidFields } from '@parley/kit';
import type { ChargeRequest__Output } from '@parley/proto/payment/ChargeRequest';
import type { RefundRequest__Output } from '@parley/proto/payment/RefundRequest';
import type { Charge } from './payments.ts';
import { cardTokens } from './simulated-provider.ts';

/** Amounts are exact in every JSON client up to here. */
const largestAmount = BigInt(Number.MAX_SAFE_INTEGER);
/** ISO 4217, as Unicode's tables have it. */
const currencies = new Set(Intl.supportedValuesOf('currency'));

/** @throws AppError INVALID_ARGUMENT that names every field that is wrong. */
export function checkCharge(request: ChargeRequest__Output): Charge {
  const wrong: FieldViolation[] = [];
  const refuse = (field: string, description: string) => wrong.push({ field, description });
  const minorUnits = BigInt(request.amount?.minor_units ?? '0');
  const currencyCode = request.amount?.currency_code ?? '';
  if (!/^[\w-]{1,128}$/.test(request.order_id))
    refuse('order_id', `is ${JSON.stringify(request.order_id)}; 1 to 128 letters, digits, - and _ are allowed`);
  if (BigInt(request.user_id) <= 0n) refuse('user_id', `is ${request.user_id}; a user's id is allowed`);
  if (minorUnits <= 0n || minorUnits > largestAmount)
    refuse('amount.minor_units', `is ${minorUnits}; 1 to ${largestAmount} are allowed`);
  if (!currencies.has(currencyCode))
    refuse('amount.currency_code', `is ${JSON.stringify(currencyCode)}; an ISO 4217 code such as EUR is allowed`);
  if (!(cardTokens as readonly string[]).includes(request.card_token)) {
    refuse('card_token', `is not a card this provider knows; ${cardTokens.join(', ')} are allowed`);
  }
  const key = wrongKey(request.idempotency_key, 1);
  if (key !== undefined) refuse('idempotency_key', key);
  if (wrong.length > 0) throw invalidFields(wrong);
  return {
    orderId: request.order_id,
    userId: request.user_id,
    currencyCode,
    minorUnits,
    cardToken: request.card_token,
    idempotencyKey: request.idempotency_key,
  };
}

/** The key of a refund, which may be empty. @throws AppError INVALID_ARGUMENT */
export function checkRefund({ idempotency_key: key }: RefundRequest__Output): string {
  const wrong = wrongKey(key, 0);
  if (wrong !== undefined) throw invalid('idempotency_key', wrong);
  return key;
}

function wrongKey(key: string, shortest: number): string | undefined {
  if (/\p{Cc}/u.test(key)) return `is ${JSON.stringify(key)}; control characters are not allowed`;
  if (key.length >= shortest && key.length <= 128) return undefined;
  return `has ${key.length} characters; 1 to 128 are allowed`;
}
