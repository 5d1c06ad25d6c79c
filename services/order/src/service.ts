import { setTimeout as sleep } from 'node:timers/promises';
import {
  actsForOthers,
  type Batch,
  Batch as Batches,
  badToken,
  type CallContext,
  type Database,
  hasExpired,
  implement,
  type Logger,
  type Metrics,
  type RpcClient,
  repeat,
  type Service,
  type SettingsOf,
  type TokenVerifier,
} from '@parley/kit';
import { openCatalogue } from './catalogue.ts';
import { ChatTeller } from './order-teller.ts';
import { type NewOrder, Orders } from './orders.ts';
import { Relay } from './relay.ts';
import type { OrderSnapshot, OrderTables } from './schema.ts';
import type { orderSettings } from './settings.ts';
import { snapshotOf } from './snapshot.ts';
import { finalStates } from './states.ts';
import { page, price, tokenOf, versionAfter } from './validation.ts';

export interface OrderParts {
  database: Database;
  payments: RpcClient<'payment.PaymentService'>;
  chat: RpcClient<'chat.ChatService'>;
  rooms: RpcClient<'chat.RoomAdminService'>;
  /** The verifier of the server that this service runs on: it knows who was signed out meanwhile. */
  verifier: TokenVerifier;
  settings: SettingsOf<typeof orderSettings>;
  log: Logger;
  metrics: Metrics;
  /** For tests: called between any two steps of an order. */
  checkpoint?: (step: string) => void;
  /** For tests: how long a task is claimed for. */
  leaseSeconds?: number;
}

/** How soon a change made by another process is seen by those who watch. */
const watchEveryMs = 500;

/** order.OrderService, with the relay that takes orders to their end. */
export async function createOrderService(parts: OrderParts): Promise<Service> {
  const { database, verifier, log, metrics, checkpoint, leaseSeconds } = parts;
  const orders = new Orders(database.as<OrderTables>());
  const catalogue = openCatalogue(parts.settings.catalogue);
  const teller = new ChatTeller(parts.rooms, parts.chat);
  const relay = new Relay({
    orders,
    payments: parts.payments,
    teller,
    log,
    checkpoint,
    leaseSeconds,
    room: () => relaying.soon(),
  });
  const created = metrics.counter('parley_orders_created_total', 'Orders that were made.');
  const hanging = metrics.counter('parley_orders_reconciled_total', 'Orders that hung and were given their task back.');
  const creation: Batch<NewOrder, OrderSnapshot> = new Batches((wanted) => orders.create(wanted), {
    largest: 200,
    parallel: 2,
    longestQueue: 2000,
  });

  const relaying = repeat('order.relay', 200, log, () => relay.run());
  const reconciling = repeat('order.reconcile', 10_000, log, async () => {
    hanging.inc(await orders.reconcile());
    await orders.forgetKeys();
  });

  const rpc = implement(
    'order.OrderService',
    {
      createOrder: 'signed-in',
      getOrder: 'signed-in',
      listOrders: 'signed-in',
      cancelOrder: 'signed-in',
      watchOrder: 'signed-in',
      listProducts: 'anyone',
    },
    {
      async createOrder(request, context) {
        const order = await creation.call({ userId: userOf(context) as string, order: price(request, catalogue) });
        created.inc();
        relaying.soon();
        return { order };
      },
      getOrder: async ({ id }, context) => ({ order: snapshotOf(await orders.byId(id, owner(context))) }),
      async listOrders({ page_size, page_token }, context) {
        const { size, before } = page(page_size, page_token);
        const found = await orders.list(userOf(context) as string, size, before);
        const last = found.length === size ? found.at(-1) : undefined;
        return { orders: found.map(snapshotOf), next_page_token: last ? tokenOf(last.id) : '' };
      },
      async cancelOrder({ id }, context) {
        const order = await orders.cancel(id, owner(context), 'cancelled by the buyer');
        relaying.soon();
        return { order: snapshotOf(order) };
      },
      async watchOrder({ id, after_version }, context, out) {
        await orders.byId(id, owner(context));
        for (let after = versionAfter(after_version); ; ) {
          if (hasExpired(context.caller) || verifier.isRevoked(context.caller)) throw badToken();
          for (const version of await orders.versions(id, after)) {
            out.write(version);
            after = Number(version.version);
            if (finalStates.includes(version.state)) return;
          }
          // Resumed behind the end: nothing will ever come.
          const { state, version } = await orders.byId(id);
          if (finalStates.includes(state) && version <= after) return;
          await sleep(watchEveryMs, undefined, { signal: context.signal }).catch(() => {
            throw context.signal.reason;
          });
        }
      },
      listProducts: () => ({
        products: catalogue.products.map(({ currency_code, minor_units, ...product }) => ({
          ...product,
          price: { currency_code, minor_units },
        })),
      }),
    },
  );

  return {
    rpc: [rpc],
    checks: [],
    async [Symbol.asyncDispose]() {
      await Promise.all([relaying[Symbol.asyncDispose](), reconciling[Symbol.asyncDispose]()]);
      await relay.idle();
    },
  };
}

/** Whose orders a caller sees: his own; an admin everybody's. */
function owner({ caller }: CallContext): string | undefined {
  return actsForOthers(caller) ? undefined : userOf({ caller });
}

function userOf({ caller }: Pick<CallContext, 'caller'>): string | undefined {
  return caller.kind === 'guest' ? undefined : caller.userId;
}
