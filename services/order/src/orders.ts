/** Orders in the database. What changes an order and what has to follow from it are written in one transaction. */
import { randomFillSync } from 'node:crypto';
import { AppError, notFound } from '@parley/kit';
import { type Kysely, sql, type Transaction } from 'kysely';
import type { OrderSnapshot, OrderTables, OutboxRow } from './schema.ts';
import { type OrderRecord, snapshotOf } from './snapshot.ts';
import { next, type OrderEvent } from './states.ts';
import type { PricedOrder } from './validation.ts';

type Task = OutboxRow['task'];

export interface NewOrder {
  userId: string;
  order: PricedOrder;
}

/** A task that somebody has claimed, as it was then: what was noted after that is another generation. */
export interface Claim {
  orderId: string;
  task: Task;
  attempts: number;
  generation: string;
}

export class Orders {
  readonly #db: Kysely<OrderTables>;

  constructor(db: Kysely<OrderTables>) {
    this.#db = db;
  }

  /**
   * Makes many orders in one transaction, since a commit an order is what limits the rate. Each gets his own answer: the new
   * order, the one that his key made before, or KEY_REUSED.
   */
  async create(wanted: NewOrder[]): Promise<(OrderSnapshot | AppError)[]> {
    const candidates = wanted.map(({ userId, order }) => ({ id: orderId(), userId, order }));
    const winners = await this.#db.transaction().execute(async (tx) => {
      const byKey = await claimKeys(tx, candidates);
      const mine = candidates.filter(
        ({ id, userId, order }) => order.key === '' || byKey.get(keyOf(userId, order.key))?.order_id === id,
      );
      if (mine.length > 0) await insertOrders(tx, mine);
      return byKey;
    });
    const ids = candidates.map(({ id, userId, order }) => winners.get(keyOf(userId, order.key))?.order_id ?? id);
    const first = await this.#firstVersions(ids);
    return candidates.map(({ userId, order }, index) => {
      const winner = winners.get(keyOf(userId, order.key));
      if (winner && winner.request_hash !== order.requestHash) return keyReused(order.key);
      return first.get(ids[index] as string) ?? new AppError('INTERNAL', 'the order was not kept');
    });
  }

  /** @throws AppError NOT_FOUND, also for an order of somebody else. */
  async byId(id: string, userId?: string): Promise<OrderRecord> {
    const row = await this.#db.selectFrom('orders.order').selectAll().where('id', '=', id).executeTakeFirst();
    if (row === undefined || (userId !== undefined && row.user_id !== userId))
      throw notFound(`order ${JSON.stringify(id)}`);
    return row;
  }

  /** Newest first. */
  async list(userId: string, size: number, before: string | undefined): Promise<OrderRecord[]> {
    let query = this.#db.selectFrom('orders.order').selectAll().where('user_id', '=', userId);
    if (before !== undefined) query = query.where('id', '<', before);
    return query.orderBy('id', 'desc').limit(size).execute();
  }

  /** Every version after this one, oldest first. */
  async versions(id: string, after: number): Promise<OrderSnapshot[]> {
    const rows = await this.#db
      .selectFrom('orders.version')
      .select('snapshot')
      .where('order_id', '=', id)
      .where('version', '>', after)
      .orderBy('version')
      .execute();
    return rows.map(({ snapshot }) => snapshot);
  }

  /**
   * Takes an order to its next state and notes what is to follow; an event that cannot happen in the state it is in leaves
   * it as it is, notes what is to follow `otherwise`, and answers undefined.
   */
  async happen(
    id: string,
    event: OrderEvent,
    change: { paymentId?: string; reason?: string } = {},
    follow: { add?: Task; done?: Claim; otherwise?: Task } = {},
  ): Promise<OrderRecord | undefined> {
    return this.#db.transaction().execute(async (tx) => {
      const order = await tx.selectFrom('orders.order').selectAll().where('id', '=', id).forUpdate().executeTakeFirst();
      if (order === undefined) throw notFound(`order ${JSON.stringify(id)}`);
      if (follow.done) await finish(tx, follow.done);
      const state = next(order.state, event);
      if (state === undefined) {
        if (follow.otherwise) await add(tx, id, follow.otherwise);
        return undefined;
      }
      const changed: OrderRecord = {
        ...order,
        state,
        payment_id: change.paymentId ?? order.payment_id,
        reason: change.reason ?? order.reason,
        version: order.version + 1,
        updated_at: new Date(),
      };
      await tx
        .updateTable('orders.order')
        .set({
          state,
          payment_id: changed.payment_id,
          reason: changed.reason,
          version: changed.version,
          updated_at: changed.updated_at,
        })
        .where('id', '=', id)
        .execute();
      await tx
        .insertInto('orders.version')
        .values({ order_id: id, version: changed.version, snapshot: JSON.stringify(snapshotOf(changed)) })
        .execute();
      if (follow.add) await add(tx, id, follow.add);
      return changed;
    });
  }

  /**
   * Cancels: at once before a charge has begun; while one is under way the relay sees that it is refunded.
   * @throws AppError FAILED_PRECONDITION for an order that is paid.
   */
  async cancel(id: string, userId: string | undefined, reason: string): Promise<OrderRecord> {
    const order = await this.byId(id, userId);
    const cancelled = await this.happen(id, 'cancel', { reason }, { add: 'settle' });
    if (cancelled) return cancelled;
    const now = await this.byId(order.id);
    if (now.state === 'CANCELLED') return now;
    throw new AppError(
      'FAILED_PRECONDITION',
      `order ${id} is ${now.state}; only orders that are not paid yet can be cancelled`,
      { reason: 'ORDER_PAID' },
    );
  }

  /** Claims what is due for a while, each task by one claimant: the others skip it until the time is up. */
  async claim(most: number, forSeconds: number): Promise<Claim[]> {
    const { rows } = await sql<{ order_id: string; task: Task; attempts: number; generation: string }>`
      update orders.outbox set attempts = attempts + 1, due_at = now() + ${`${forSeconds} seconds`}::interval
      where (order_id, task) in (
        select order_id, task from orders.outbox where due_at <= now() order by due_at limit ${most} for update skip locked
      )
      returning order_id, task, attempts, generation`.execute(this.#db);
    return rows.map(({ order_id, ...claim }) => ({ orderId: order_id, ...claim }));
  }

  async done(claim: Claim): Promise<void> {
    await finish(this.#db, claim);
  }

  async later({ orderId, task, generation }: Claim, delayMs: number): Promise<void> {
    await this.#db
      .updateTable('orders.outbox')
      .set({ due_at: new Date(Date.now() + delayMs) })
      .where('order_id', '=', orderId)
      .where('task', '=', task)
      .where('generation', '=', generation)
      .execute();
  }

  /** Orders that are not final and have nothing to be done: there should be none; they get their task back. */
  async reconcile(): Promise<number> {
    const { rows } = await sql<{ order_id: string }>`
      insert into orders.outbox (order_id, task)
      select id, 'pay' from orders."order" o
      where state in ('PENDING', 'AWAITING_PAYMENT') and updated_at < now() - interval '15 seconds'
        and not exists (select from orders.outbox where order_id = o.id)
      on conflict do nothing returning order_id`.execute(this.#db);
    return rows.length;
  }

  /** Forgets idempotency keys after 24 h. */
  async forgetKeys(): Promise<void> {
    await sql`delete from orders.idempotency_key where created_at < now() - interval '24 hours'`.execute(this.#db);
  }

  async #firstVersions(ids: string[]): Promise<Map<string, OrderSnapshot>> {
    const rows = await this.#db
      .selectFrom('orders.version')
      .selectAll()
      .where('version', '=', 1)
      .where('order_id', 'in', ids)
      .execute();
    return new Map(rows.map(({ order_id, snapshot }) => [order_id, snapshot]));
  }
}

interface Candidate extends NewOrder {
  id: string;
}

const keyOf = (userId: string, key: string) => `${userId} ${key}`;

/** Who has each key: the first to come, now or before. */
async function claimKeys(
  tx: Transaction<OrderTables>,
  candidates: Candidate[],
): Promise<Map<string, { order_id: string; request_hash: string }>> {
  const keyed = candidates.filter(({ order }) => order.key !== '');
  if (keyed.length === 0) return new Map();
  // Sorted, so that two transactions never wait for each other's keys crosswise.
  const rows = keyed
    .map(({ id, userId, order }) => ({
      user_id: userId,
      key: order.key,
      request_hash: order.requestHash,
      order_id: id,
    }))
    .sort((a, b) => (keyOf(a.user_id, a.key) < keyOf(b.user_id, b.key) ? -1 : 1));
  await tx
    .insertInto('orders.idempotency_key')
    .values(rows)
    .onConflict((conflict) => conflict.doNothing())
    .execute();
  const pairs = sql.join(rows.map((row) => sql`(${row.user_id}::bigint, ${row.key})`));
  const { rows: found } = await sql<{ user_id: string; key: string; request_hash: string; order_id: string }>`
    select user_id, key, request_hash, order_id from orders.idempotency_key where (user_id, key) in (${pairs})`.execute(
    tx,
  );
  return new Map(found.map(({ user_id, key, ...rest }) => [keyOf(user_id, key), rest]));
}

async function insertOrders(tx: Transaction<OrderTables>, candidates: Candidate[]): Promise<void> {
  const now = new Date();
  const records: OrderRecord[] = candidates.map(({ id, userId, order }) => ({
    id,
    user_id: userId,
    state: 'PENDING',
    items: order.items,
    currency_code: order.currencyCode,
    total_minor_units: String(order.totalMinorUnits),
    card_token: order.cardToken,
    payment_id: '',
    reason: '',
    version: 1,
    created_at: now,
    updated_at: now,
  }));
  await tx
    .insertInto('orders.order')
    .values(records.map((record) => ({ ...record, items: JSON.stringify(record.items) })))
    .execute();
  await tx
    .insertInto('orders.version')
    .values(
      records.map((record) => ({ order_id: record.id, version: 1, snapshot: JSON.stringify(snapshotOf(record)) })),
    )
    .execute();
  await tx
    .insertInto('orders.outbox')
    .values(records.map(({ id }) => ({ order_id: id, task: 'pay' as const })))
    .execute();
}

/** Notes what is to be done. Where that is noted already, whoever is at it may have looked before this: it is due anew. */
async function add(tx: Kysely<OrderTables>, id: string, task: Task): Promise<void> {
  await tx
    .insertInto('orders.outbox')
    .values({ order_id: id, task })
    .onConflict((conflict) =>
      conflict.columns(['order_id', 'task']).doUpdateSet(({ ref }) => ({
        attempts: ref('excluded.attempts'),
        due_at: ref('excluded.due_at'),
        generation: ref('excluded.generation'),
      })),
    )
    .execute();
}

async function finish(db: Kysely<OrderTables>, { orderId, task, generation }: Claim): Promise<void> {
  await db
    .deleteFrom('orders.outbox')
    .where('order_id', '=', orderId)
    .where('task', '=', task)
    .where('generation', '=', generation)
    .execute();
}

const keyReused = (key: string) =>
  new AppError(
    'ALREADY_EXISTS',
    `idempotency_key ${JSON.stringify(key)} was used for another order: use a new key for a new order`,
    { reason: 'KEY_REUSED' },
  );

/** A UUIDv7 (RFC 9562): sorts by when it was made. */
function orderId(): string {
  const bytes = randomFillSync(Buffer.alloc(16));
  bytes.writeUIntBE(Date.now(), 0, 6);
  bytes[6] = (bytes[6] as number & 0x0f) | 0x70;
  bytes[8] = (bytes[8] as number & 0x3f) | 0x80;
  return `ord_${bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')}`;
}
