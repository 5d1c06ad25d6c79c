export type { Provider, ProviderCharge, ProviderEvent, ProviderOutcome } from './provider.ts';
export { type PaymentTables, paymentSchema } from './schema.ts';
export { createPaymentService, type PaymentParts } from './service.ts';
export { paymentSettings } from './settings.ts';
