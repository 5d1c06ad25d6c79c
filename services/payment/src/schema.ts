import type { SchemaHistory } from '@parley/kit';
import { type ColumnType, type Generated, sql } from 'kysely';

export type PaymentStateName = 'PENDING' | 'APPROVED' | 'DECLINED' | 'REFUNDED';

export interface PaymentRow {
  id: string;
  order_id: string;
  /** 64-bit integers are text in JavaScript. */
  user_id: string;
  currency_code: string;
  minor_units: string;
  card_token: string;
  state: PaymentStateName;
  reason: string;
  idempotency_key: string;
  request_hash: string;
  created_at: Generated<Date>;
  updated_at: ColumnType<Date, Date | undefined, Date>;
  /** The idempotency key that its refund came with. */
  refund_key: ColumnType<string | null, never, string>;
}

/** The simulated provider's own books: another company's, that only share our database. */
export interface SimulatedChargeRow {
  payment_id: string;
  currency_code: string;
  minor_units: string;
  outcome: 'undecided' | 'approved' | 'declined' | 'voided';
  refunded: boolean;
  /** Events that are still to be sent, and from when. */
  events_due: number;
  due_at: Date | null;
}

export interface PaymentTables {
  'payments.payment': PaymentRow;
  'payments.simulated_charge': SimulatedChargeRow;
}

export const paymentSchema: SchemaHistory = {
  schema: 'payments',
  migrations: {
    '0001_payments': {
      async up(db) {
        await sql`
          create table payments.payment (
            id text primary key,
            order_id text not null,
            user_id bigint not null,
            currency_code text not null,
            minor_units bigint not null check (minor_units > 0),
            card_token text not null,
            state text not null check (state in ('PENDING', 'APPROVED', 'DECLINED', 'REFUNDED')),
            reason text not null default '',
            idempotency_key text not null unique,
            request_hash text not null,
            created_at timestamptz not null default now(),
            updated_at timestamptz not null default now()
          )`.execute(db);
        await sql`create index payment_order on payments.payment (order_id)`.execute(db);
        await sql`create index payment_pending on payments.payment (created_at) where state = 'PENDING'`.execute(db);
        await sql`
          create table payments.simulated_charge (
            payment_id text primary key,
            currency_code text not null,
            minor_units bigint not null,
            outcome text not null,
            refunded boolean not null default false,
            events_due integer not null default 0,
            due_at timestamptz
          )`.execute(db);
      },
    },
    '0002_refund_keys': {
      async up(db) {
        await sql`alter table payments.payment add column refund_key text`.execute(db);
        await sql`create unique index payment_refund_key on payments.payment (refund_key)`.execute(db);
      },
    },
  },
};
