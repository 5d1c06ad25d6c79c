/** What a payment provider is to us. Everything is by our payment id, so that asking twice does a thing once. */

export interface ProviderCharge {
  paymentId: string;
  currencyCode: string;
  minorUnits: bigint;
  cardToken: string;
}

export type ProviderOutcome = { outcome: 'approved' } | { outcome: 'declined'; reason: string };

export interface Provider {
  /** Charges once however often it is asked. Aborts, or never answers, where the outcome is not known: then `find`. */
  charge(charge: ProviderCharge, signal: AbortSignal): Promise<ProviderOutcome>;
  /** What became of a charge. Where the provider has none, or has not decided, it is voided: it never happens from then on. */
  settle(paymentId: string): Promise<ProviderOutcome>;
  /** Gives the money of an approved charge back, once. */
  refund(paymentId: string): Promise<void>;
}

/** What a provider says of itself, later or again. */
export interface ProviderEvent {
  payment_id: string;
  outcome: 'approved' | 'declined';
  reason?: string;
}
