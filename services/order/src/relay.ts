/**
 * The saga's other half: does what the outbox holds, each task on its own, and any of them may be done twice without harm.
 * A task whose process died is claimed again when its lease is over; so is one whose outcome is not known yet.
 */
import { AppError, type Logger, type RpcClient } from '@parley/kit';
import type { OrderTeller } from './order-teller.ts';
import type { Claim, Orders } from './orders.ts';
import type { OutboxRow } from './schema.ts';

/** Longer than any step takes, so that nobody else begins it meanwhile. */
const defaultLeaseSeconds = 15;
const callTimeoutMs = 8000;
/** A bank that is silent holds a place for each of its orders until the call is given up. */
const defaultMostInFlight = 256;

export interface RelayParts {
  orders: Orders;
  payments: Pick<RpcClient<'payment.PaymentService'>, 'charge' | 'getPayment' | 'refund'>;
  teller: OrderTeller;
  log: Logger;
  /** For tests: called between any two steps. */
  checkpoint?: ((step: string) => void) | undefined;
  leaseSeconds?: number | undefined;
  mostInFlight?: number | undefined;
  /** Told when there is room again for what run() had to leave. */
  room?: () => void;
}

export class Relay {
  readonly #parts: RelayParts;
  readonly #inFlight = new Set<Promise<void>>();
  /** More may be due than there was room for. */
  #left = false;

  constructor(parts: RelayParts) {
    this.#parts = parts;
  }

  /** Begins what is due now, as far as there is room: claimed no sooner than it is begun, so that its lease holds. */
  async run(): Promise<void> {
    const { orders, leaseSeconds = defaultLeaseSeconds, mostInFlight = defaultMostInFlight } = this.#parts;
    const room = mostInFlight - this.#inFlight.size;
    if (room === 0) return;
    const claimed = await orders.claim(room, leaseSeconds);
    this.#left = claimed.length === room;
    for (const claim of claimed) {
      const task = this.#do(claim).then(() => {
        this.#inFlight.delete(task);
        if (this.#left) this.#parts.room?.();
      });
      this.#inFlight.add(task);
    }
  }

  /** Resolves when what has begun is over. */
  async idle(): Promise<void> {
    await Promise.all(this.#inFlight);
  }

  async #do(claim: Claim): Promise<void> {
    const { orders, log } = this.#parts;
    const { orderId, task, attempts } = claim;
    try {
      const settled = await this.#tasks[task](claim);
      if (!settled) await orders.later(claim, backoffMs(attempts));
    } catch (error) {
      const code = error instanceof AppError ? error.code : 'INTERNAL';
      log.warn(
        { order: orderId, task, attempts, code, err: error instanceof Error ? error.message : error },
        'order.task_failed',
      );
      await orders.later(claim, backoffMs(attempts)).catch(() => undefined); // Else the lease ends by itself.
    }
  }

  /** Each answers whether it is done; false: its outcome is not known yet. */
  readonly #tasks: Record<OutboxRow['task'], (claim: Claim) => Promise<boolean>> = {
    /** Charges, and takes the order to PAID or CANCELLED. */
    pay: async (claim) => {
      const { orderId } = claim;
      const { orders, payments } = this.#parts;
      let order = await orders.byId(orderId);
      if (order.state === 'PENDING')
        order = (await orders.happen(orderId, 'charge-begins')) ?? (await orders.byId(orderId));
      this.#reached('charge-began');
      // Cancelled meanwhile; whoever began this task before may have charged, and died before he could say so.
      if (order.state !== 'AWAITING_PAYMENT') return this.#settle(claim);
      const { payment } = await payments.charge(
        {
          order_id: orderId,
          user_id: order.user_id,
          amount: { currency_code: order.currency_code, minor_units: order.total_minor_units },
          card_token: order.card_token,
          idempotency_key: orderId,
        },
        { timeoutMs: callTimeoutMs },
      );
      this.#reached('charged');
      if (payment?.state === 'APPROVED' || payment?.state === 'REFUNDED') {
        const follow = { done: claim, add: 'notify', otherwise: 'settle' } as const;
        await orders.happen(orderId, 'paid', { paymentId: payment.id }, follow);
        this.#reached('paid');
        return true;
      }
      if (payment?.state === 'DECLINED') {
        await orders.happen(orderId, 'declined', { paymentId: payment.id, reason: payment.reason }, { done: claim });
        this.#reached('declined');
        return true;
      }
      return false;
    },
    settle: (claim) => this.#settle(claim),
    notify: async (claim) => {
      const { orders, teller } = this.#parts;
      await teller.tellPaid(await orders.byId(claim.orderId));
      this.#reached('notified');
      await orders.done(claim);
      return true;
    },
  };

  /**
   * Gives back what a cancelled order was charged. A charge that is under way is waited for; one that comes later is noted
   * by whoever made it.
   */
  async #settle(claim: Claim): Promise<boolean> {
    const { orderId } = claim;
    const { orders, payments } = this.#parts;
    const { state, payment_id } = await orders.byId(orderId);
    if (state !== 'CANCELLED') {
      // Paid: of two who charged at once, the second has noted this.
      await orders.done(claim);
      return true;
    }
    const payment = await payments
      .getPayment({ order_id: orderId }, { timeoutMs: callTimeoutMs })
      .then(({ payment }) => payment)
      .catch((error) => {
        if (error instanceof AppError && error.code === 'NOT_FOUND') return undefined;
        throw error;
      });
    this.#reached('payment-seen');
    if (payment?.state === 'PENDING') return false;
    if (payment?.state === 'APPROVED') {
      await payments.refund({ payment_id: payment.id, idempotency_key: orderId }, { timeoutMs: callTimeoutMs });
      this.#reached('refunded');
    }
    if (payment && payment.id !== payment_id)
      await orders.happen(orderId, 'settled', { paymentId: payment.id }, { done: claim });
    else await orders.done(claim);
    return true;
  }

  #reached(step: string): void {
    this.#parts.checkpoint?.(step);
  }
}

/** 0.5 s, 1 s, 2 s and so on to 10 s, each between half and all of it. */
function backoffMs(attempts: number): number {
  return Math.min(10_000, 500 * 2 ** Math.min(attempts - 1, 10)) * (0.5 + Math.random() / 2);
}
