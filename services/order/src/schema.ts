import type { SchemaHistory } from '@parley/kit';
import { type ColumnType, type Generated, sql } from 'kysely';
import type { OrderStateName } from './states.ts';

export interface OrderItem {
  product_id: string;
  quantity: number;
  unit_price: { currency_code: string; minor_units: string };
}

export interface OrderRow {
  id: string;
  user_id: string;
  state: OrderStateName;
  items: ColumnType<OrderItem[], string, never>;
  currency_code: string;
  total_minor_units: string;
  card_token: string;
  payment_id: string;
  reason: string;
  version: number;
  created_at: Date;
  updated_at: Date;
}

/** Every version of an order as it was, for those who watch. */
export interface OrderVersionRow {
  order_id: string;
  version: number;
  snapshot: ColumnType<OrderSnapshot, string, never>;
}

/** An order as answers hold it: JSON of order.Order. */
export interface OrderSnapshot {
  id: string;
  user_id: string;
  state: OrderStateName;
  items: OrderItem[];
  total: { currency_code: string; minor_units: string };
  payment_id: string;
  reason: string;
  version: string;
  created_at: string;
  updated_at: string;
}

/** What is still to be done for an order; written in the transaction that makes it necessary. */
export interface OutboxRow {
  order_id: string;
  task: 'pay' | 'settle' | 'notify';
  attempts: Generated<number>;
  due_at: ColumnType<Date, Date | undefined, Date>;
  /** Another one whenever it is noted, so that who claimed it before does not take it for done. Never used twice. */
  generation: Generated<string>;
}

export interface KeyRow {
  user_id: string;
  key: string;
  request_hash: string;
  order_id: string;
  created_at: Generated<Date>;
}

export interface OrderTables {
  'orders.order': OrderRow;
  'orders.version': OrderVersionRow;
  'orders.outbox': OutboxRow;
  'orders.idempotency_key': KeyRow;
}

export const orderSchema: SchemaHistory = {
  schema: 'orders',
  migrations: {
    '0001_orders': {
      async up(db) {
        await sql`
          create table orders."order" (
            id text primary key,
            user_id bigint not null,
            state text not null check (state in ('PENDING', 'AWAITING_PAYMENT', 'PAID', 'CANCELLED')),
            items jsonb not null,
            currency_code text not null,
            total_minor_units bigint not null check (total_minor_units > 0),
            card_token text not null,
            payment_id text not null default '',
            reason text not null default '',
            version integer not null,
            created_at timestamptz not null,
            updated_at timestamptz not null
          )`.execute(db);
        await sql`create index order_of_user on orders."order" (user_id, id desc)`.execute(db);
        await sql`
          create table orders.version (
            order_id text not null references orders."order",
            version integer not null,
            snapshot jsonb not null,
            primary key (order_id, version)
          )`.execute(db);
        await sql`
          create table orders.outbox (
            order_id text not null references orders."order",
            task text not null check (task in ('pay', 'settle', 'notify')),
            attempts integer not null default 0,
            due_at timestamptz not null default now(),
            primary key (order_id, task)
          )`.execute(db);
        await sql`create index outbox_due on orders.outbox (due_at)`.execute(db);
        await sql`
          create table orders.idempotency_key (
            user_id bigint not null,
            key text not null,
            request_hash text not null,
            order_id text not null,
            created_at timestamptz not null default now(),
            primary key (user_id, key)
          )`.execute(db);
        await sql`create index idempotency_key_age on orders.idempotency_key (created_at)`.execute(db);
      },
    },
    '0002_outbox_generations': {
      async up(db) {
        await sql`alter table orders.outbox add column generation bigserial`.execute(db);
      },
    },
  },
};
