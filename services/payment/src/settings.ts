import { from, setting } from '@parley/kit';

export const paymentSettings = {
  providerTimeoutMs: setting(
    'PARLEY_PAYMENT_TIMEOUT_MS',
    from.integer(3000, 10, 60_000),
    'How long a payment provider may take to answer',
    '3000',
  ),
  giveUpSeconds: setting(
    'PARLEY_PAYMENT_GIVE_UP_SECONDS',
    from.integer(20, 1, 3600),
    'When a charge that the provider never answered is given up',
    '20',
  ),
  webhookSecret: setting(
    'PARLEY_PAYMENT_WEBHOOK_SECRET',
    from.optional(),
    'What a provider signs its events with',
    'made at start; set it where several processes run',
  ),
  simulatedLateMs: setting(
    'PARLEY_PAYMENT_SIMULATED_LATE_MS',
    from.integer(5000, 10, 60_000),
    'When the simulated provider answers for tok_late',
    '5000',
  ),
};
