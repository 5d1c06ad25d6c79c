/** Charges and refunds: the state of each payment, moved only forward. PENDING → APPROVED | DECLINED, APPROVED → REFUNDED. */
import { createHash, randomUUID } from 'node:crypto';
import { AppError, type Logger, notFound } from '@parley/kit';
import { type Kysely, type Selectable, sql } from 'kysely';
import type { Provider, ProviderOutcome } from './provider.ts';
import type { PaymentRow, PaymentTables } from './schema.ts';

export type PaymentRecord = Selectable<PaymentRow>;

export interface Charge {
  orderId: string;
  userId: string;
  currencyCode: string;
  minorUnits: bigint;
  cardToken: string;
  idempotencyKey: string;
}

export interface PaymentsSettings {
  providerTimeoutMs: number;
  giveUpSeconds: number;
}

export class Payments {
  readonly #db: Kysely<PaymentTables>;
  readonly #provider: Provider;
  readonly #settings: PaymentsSettings;
  readonly #log: Logger;
  readonly #reached: (step: string) => void;

  constructor(
    db: Kysely<PaymentTables>,
    provider: Provider,
    settings: PaymentsSettings,
    log: Logger,
    reached: (step: string) => void = () => undefined,
  ) {
    this.#reached = reached;
    this.#db = db;
    this.#provider = provider;
    this.#settings = settings;
    this.#log = log;
  }

  /**
   * Charges once per idempotency key; the same key again answers with that payment, as it is by then.
   * A payment that is PENDING in the answer is decided later: ask again, or wait for reconcile().
   * @throws AppError ALREADY_EXISTS, reason KEY_REUSED, for a key that came with another charge.
   */
  async charge(charge: Charge): Promise<PaymentRecord> {
    const payment = await this.#begin(charge);
    this.#reached('payment-begun');
    if (payment.state !== 'PENDING') return payment;
    const timeout = AbortSignal.timeout(this.#settings.providerTimeoutMs);
    let outcome: ProviderOutcome;
    try {
      outcome = await this.#provider.charge({ ...charge, paymentId: payment.id }, timeout);
    } catch (error) {
      if (error instanceof AppError) throw error;
      this.#log.warn({ payment: payment.id, err: error }, 'payment.provider_silent');
      return payment;
    }
    this.#reached('provider-answered');
    return this.decide(payment.id, outcome);
  }

  /** Records what the provider decided, the first time; later or repeated answers change nothing. */
  async decide(paymentId: string, outcome: ProviderOutcome): Promise<PaymentRecord> {
    await this.#db
      .updateTable('payments.payment')
      .set({
        state: outcome.outcome === 'approved' ? 'APPROVED' : 'DECLINED',
        reason: outcome.outcome === 'declined' ? outcome.reason : '',
        updated_at: new Date(),
      })
      .where('id', '=', paymentId)
      .where('state', '=', 'PENDING')
      .execute();
    return this.byId(paymentId);
  }

  /**
   * Refunds once. An empty key is none.
   * @throws AppError FAILED_PRECONDITION for a payment that was not approved; ALREADY_EXISTS, reason KEY_REUSED, for a key
   * that came with another payment.
   */
  async refund(paymentId: string, key = ''): Promise<PaymentRecord> {
    const payment = await this.byId(paymentId);
    if (key !== '') await this.#refuseReused(key, paymentId);
    if (payment.state === 'REFUNDED') return payment;
    if (payment.state === 'PENDING') {
      throw new AppError('FAILED_PRECONDITION', `payment ${paymentId} is not decided yet: try again`, {
        reason: 'PAYMENT_PENDING',
        retryAfterMs: 1000,
      });
    }
    if (payment.state !== 'APPROVED') {
      throw new AppError(
        'FAILED_PRECONDITION',
        `payment ${paymentId} is ${payment.state}; only APPROVED ones can be refunded`,
      );
    }
    if (key !== '') await this.#keepRefundKey(paymentId, key);
    // The provider first: what it has given back twice is given back once, what we only noted would be lost in a crash.
    await this.#provider.refund(paymentId);
    this.#reached('provider-refunded');
    await this.#db
      .updateTable('payments.payment')
      .set({ state: 'REFUNDED', updated_at: new Date() })
      .where('id', '=', paymentId)
      .where('state', '=', 'APPROVED')
      .execute();
    return this.byId(paymentId);
  }

  /** Decides what the provider never answered. A charge that it does not know is voided there, so that it cannot come later. */
  async reconcile(): Promise<void> {
    const hanging = await this.#db
      .selectFrom('payments.payment')
      .select('id')
      .where('state', '=', 'PENDING')
      .where('created_at', '<', sql<Date>`now() - ${`${this.#settings.giveUpSeconds} seconds`}::interval`)
      .limit(100)
      .execute();
    for (const { id } of hanging) {
      const payment = await this.decide(id, await this.#provider.settle(id));
      this.#log.info({ payment: id, state: payment.state }, 'payment.reconciled');
    }
  }

  /** @throws AppError NOT_FOUND */
  async byId(id: string): Promise<PaymentRecord> {
    const row = await this.#db.selectFrom('payments.payment').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined) throw notFound(`payment ${JSON.stringify(id)}`);
    return row;
  }

  /** @throws AppError NOT_FOUND */
  async byOrder(orderId: string): Promise<PaymentRecord> {
    const row = await this.#db
      .selectFrom('payments.payment')
      .selectAll()
      .where('order_id', '=', orderId)
      .executeTakeFirst();
    if (row === undefined) throw notFound(`a payment of order ${JSON.stringify(orderId)}`);
    return row;
  }

  async #begin(charge: Charge): Promise<PaymentRecord> {
    const hash = hashOf(charge);
    await this.#db
      .insertInto('payments.payment')
      .values({
        id: `pay_${randomUUID()}`,
        order_id: charge.orderId,
        user_id: charge.userId,
        currency_code: charge.currencyCode,
        minor_units: String(charge.minorUnits),
        card_token: charge.cardToken,
        state: 'PENDING',
        reason: '',
        idempotency_key: charge.idempotencyKey,
        request_hash: hash,
        updated_at: new Date(),
      })
      .onConflict((conflict) => conflict.column('idempotency_key').doNothing())
      .execute();
    const row = await this.#db
      .selectFrom('payments.payment')
      .selectAll()
      .where('idempotency_key', '=', charge.idempotencyKey)
      .executeTakeFirstOrThrow();
    if (row.request_hash !== hash) throw keyReused(charge.idempotencyKey, 'charge');
    return row;
  }

  async #refuseReused(key: string, paymentId: string): Promise<void> {
    const owner = await this.#db
      .selectFrom('payments.payment')
      .select('id')
      .where('refund_key', '=', key)
      .executeTakeFirst();
    if (owner !== undefined && owner.id !== paymentId) throw keyReused(key, 'refund');
  }

  async #keepRefundKey(paymentId: string, key: string): Promise<void> {
    try {
      await this.#db
        .updateTable('payments.payment')
        .set({ refund_key: key })
        .where('id', '=', paymentId)
        .where('refund_key', 'is', null)
        .execute();
    } catch (error) {
      if ((error as { code?: string }).code === '23505') throw keyReused(key, 'refund');
      throw error;
    }
  }
}

const keyReused = (key: string, what: string) =>
  new AppError('ALREADY_EXISTS', `idempotency_key ${JSON.stringify(key)} was used for another ${what}`, {
    reason: 'KEY_REUSED',
  });

function hashOf({ orderId, userId, currencyCode, minorUnits, cardToken }: Charge): string {
  return createHash('sha256')
    .update(JSON.stringify([orderId, userId, currencyCode, String(minorUnits), cardToken]))
    .digest('hex');
}
