/**
 * The built-in provider: its card tokens say how it behaves. It keeps books of its own, which outlive a crash of ours as
 * another company's would, and tells late or twice by signed events.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { type Kysely, sql } from 'kysely';
import type { Provider, ProviderCharge, ProviderEvent, ProviderOutcome } from './provider.ts';
import type { PaymentTables } from './schema.ts';

export const cardTokens = ['tok_approve', 'tok_decline', 'tok_timeout', 'tok_late', 'tok_twice'] as const;

export interface SimulatedProviderSettings {
  /** When tok_late is decided. */
  lateMs: number;
}

export class SimulatedProvider implements Provider {
  readonly #db: Kysely<PaymentTables>;
  readonly #lateMs: number;

  constructor(db: Kysely<PaymentTables>, { lateMs }: SimulatedProviderSettings) {
    this.#db = db;
    this.#lateMs = lateMs;
  }

  async charge(charge: ProviderCharge, signal: AbortSignal): Promise<ProviderOutcome> {
    const { cardToken } = charge;
    if (cardToken === 'tok_timeout') return forever(signal); // The request got lost on its way.
    const late = cardToken === 'tok_late';
    const outcome = late ? 'undecided' : cardToken === 'tok_decline' ? 'declined' : 'approved';
    await this.#db
      .insertInto('payments.simulated_charge')
      .values({
        payment_id: charge.paymentId,
        currency_code: charge.currencyCode,
        minor_units: String(charge.minorUnits),
        outcome,
        refunded: false,
        events_due: late ? 1 : cardToken === 'tok_twice' ? 2 : 0,
        due_at: late ? new Date(Date.now() + this.#lateMs) : new Date(),
      })
      .onConflict((conflict) => conflict.column('payment_id').doNothing())
      .execute();
    for (;;) {
      const row = await this.#find(charge.paymentId);
      if (row && row.outcome !== 'undecided') return outcomeOf(row.outcome);
      await sleep(50, undefined, { signal });
    }
  }

  async settle(paymentId: string): Promise<ProviderOutcome> {
    const charge = {
      payment_id: paymentId,
      currency_code: '',
      minor_units: '0',
      outcome: 'voided' as const,
      refunded: false,
    };
    await this.#db
      .insertInto('payments.simulated_charge')
      .values({ ...charge, events_due: 0, due_at: null })
      .onConflict((conflict) =>
        conflict.column('payment_id').doUpdateSet({
          outcome: sql`case when simulated_charge.outcome = 'undecided' then 'voided' else simulated_charge.outcome end`,
        }),
      )
      .execute();
    return outcomeOf((await this.#find(paymentId))?.outcome ?? 'voided');
  }

  async refund(paymentId: string): Promise<void> {
    await this.#db
      .updateTable('payments.simulated_charge')
      .set({ refunded: true })
      .where('payment_id', '=', paymentId)
      .where('outcome', '=', 'approved')
      .execute();
  }

  /** Decides what is due and tells of it, each event once for every time it is owed. */
  async tell(send: (event: ProviderEvent) => Promise<void>): Promise<void> {
    const due = await this.#db
      .selectFrom('payments.simulated_charge')
      .selectAll()
      .where('events_due', '>', 0)
      .where('due_at', '<=', sql<Date>`now()`)
      .limit(100)
      .execute();
    for (const row of due) {
      if (row.outcome === 'undecided') {
        await this.#db
          .updateTable('payments.simulated_charge')
          .set({ outcome: 'approved' })
          .where('payment_id', '=', row.payment_id)
          .where('outcome', '=', 'undecided')
          .execute();
      }
      const decided = outcomeOf((await this.#find(row.payment_id))?.outcome ?? 'voided');
      await send({ payment_id: row.payment_id, ...decided });
      await this.#db
        .updateTable('payments.simulated_charge')
        .set((eb) => ({ events_due: eb('events_due', '-', 1) }))
        .where('payment_id', '=', row.payment_id)
        .where('events_due', '>', 0)
        .execute();
    }
  }

  #find(paymentId: string) {
    return this.#db
      .selectFrom('payments.simulated_charge')
      .selectAll()
      .where('payment_id', '=', paymentId)
      .executeTakeFirst();
  }
}

function outcomeOf(outcome: string): ProviderOutcome {
  if (outcome === 'approved') return { outcome: 'approved' };
  return {
    outcome: 'declined',
    reason: outcome === 'voided' ? 'the provider did not answer in time' : 'the card was declined',
  };
}

function forever(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason);
    signal.addEventListener('abort', () => reject(signal.reason), { once: true });
  });
}
