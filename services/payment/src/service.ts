import { randomBytes } from 'node:crypto';
import {
  AppError,
  actsForOthers,
  type Database,
  implement,
  invalid,
  type Logger,
  type Metrics,
  notFound,
  repeat,
  type Service,
  type SettingsOf,
} from '@parley/kit';
import type { Payment } from '@parley/proto/payment/Payment';
import { type PaymentRecord, Payments } from './payments.ts';
import type { Provider, ProviderEvent } from './provider.ts';
import type { PaymentTables } from './schema.ts';
import type { paymentSettings } from './settings.ts';
import { isSigned, sign } from './signature.ts';
import { SimulatedProvider } from './simulated-provider.ts';
import { checkCharge, checkRefund } from './validation.ts';

export interface PaymentParts {
  database: Database;
  settings: SettingsOf<typeof paymentSettings>;
  log: Logger;
  metrics: Metrics;
  /** Instead of the simulated one. */
  provider?: Provider;
  /** For tests: called between any two steps of a payment. */
  checkpoint?: (step: string) => void;
}

/** payment.PaymentService, with the reconciliation that decides what a provider left open. */
export async function createPaymentService({
  database,
  settings,
  log,
  metrics,
  provider,
  checkpoint,
}: PaymentParts): Promise<Service> {
  const db = database.as<PaymentTables>();
  const secret = settings.webhookSecret ?? randomBytes(32).toString('hex');
  const simulated =
    provider === undefined ? new SimulatedProvider(db, { lateMs: settings.simulatedLateMs }) : undefined;
  const payments = new Payments(db, provider ?? (simulated as SimulatedProvider), settings, log, checkpoint);
  const decided = metrics.counter('parley_payments_total', 'Charges and refunds by what became of them.', ['state']);
  const counted = (payment: PaymentRecord) => {
    decided.inc({ state: payment.state });
    return { payment: toProto(payment) };
  };

  /** @throws AppError PERMISSION_DENIED for a body that the provider did not sign. */
  const receive = async (body: string, signature: string) => {
    if (!isSigned(body, signature, secret))
      throw new AppError('PERMISSION_DENIED', 'the signature does not fit the body');
    const event = eventOf(body);
    await payments.decide(
      event.payment_id,
      event.outcome === 'approved' ? { outcome: 'approved' } : { outcome: 'declined', reason: event.reason ?? '' },
    );
  };

  const rpc = implement(
    'payment.PaymentService',
    { charge: 'service', getPayment: 'signed-in', refund: 'service', receiveEvent: 'anyone' },
    {
      charge: async (request) => counted(await payments.charge(checkCharge(request))),
      async getPayment({ id, order_id }, { caller }) {
        if (order_id !== '' && id === '' && actsForOthers(caller))
          return { payment: toProto(await payments.byOrder(order_id)) };
        const payment = await payments.byId(id);
        const own = caller.kind === 'user' && caller.userId === payment.user_id;
        if (!own && !actsForOthers(caller)) throw notFound(`payment ${JSON.stringify(id)}`);
        return { payment: toProto(payment) };
      },
      refund: async (request) => counted(await payments.refund(request.payment_id, checkRefund(request))),
      async receiveEvent({ body, signature }) {
        await receive(body, signature);
        return {};
      },
    },
  );

  const work = [repeat('payment.reconcile', 1000, log, () => payments.reconcile())];
  if (simulated) {
    work.push(
      repeat('payment.simulated_events', 250, log, () =>
        simulated.tell(async (event) => {
          const body = JSON.stringify(event);
          await receive(body, sign(body, secret));
        }),
      ),
    );
  }
  return {
    rpc: [rpc],
    checks: [],
    async [Symbol.asyncDispose]() {
      await Promise.all(work.map((one) => one[Symbol.asyncDispose]()));
    },
  };
}

function eventOf(body: string): ProviderEvent {
  try {
    const event = JSON.parse(body) as Partial<ProviderEvent>;
    if (typeof event.payment_id === 'string' && (event.outcome === 'approved' || event.outcome === 'declined'))
      return event as ProviderEvent;
  } catch {
    // Told below, as for any other body that is no event.
  }
  throw invalid('body', 'is no event; {"payment_id": "…", "outcome": "approved" or "declined"} is allowed');
}

function toProto(row: PaymentRecord): Payment {
  return {
    id: row.id,
    order_id: row.order_id,
    user_id: row.user_id,
    amount: { currency_code: row.currency_code, minor_units: row.minor_units },
    state: row.state,
    reason: row.reason,
    created_at: row.created_at.toISOString(),
  };
}
