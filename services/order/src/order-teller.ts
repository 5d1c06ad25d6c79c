import type { RpcClient } from '@parley/kit';
import type { OrderRecord } from './snapshot.ts';

/** Tells a buyer in chat what became of his order. */
export interface OrderTeller {
  tellPaid(order: OrderRecord): Promise<void>;
}

/** As a SYSTEM message in a private room of the buyer's own, `orders-<user id>`; the message's key makes it one however often it is sent. */
export class ChatTeller implements OrderTeller {
  readonly #rooms: Pick<RpcClient<'chat.RoomAdminService'>, 'applyRoom'>;
  readonly #chat: Pick<RpcClient<'chat.ChatService'>, 'sendMessage'>;

  constructor(
    rooms: Pick<RpcClient<'chat.RoomAdminService'>, 'applyRoom'>,
    chat: Pick<RpcClient<'chat.ChatService'>, 'sendMessage'>,
  ) {
    this.#rooms = rooms;
    this.#chat = chat;
  }

  async tellPaid(order: OrderRecord): Promise<void> {
    const room_id = `orders-${order.user_id}`;
    await this.#rooms.applyRoom({
      room_id,
      spec: { display_name: 'Your orders', topic: 'What becomes of them', private: true, member_ids: [order.user_id] },
      owner: { namespace: '', name: room_id, uid: 'order-service', generation: 1 },
    });
    await this.#chat.sendMessage({
      room_id,
      user_id: '0',
      username: 'Parley',
      type: 'MESSAGE_TYPE_SYSTEM',
      content: `Your order ${order.id} is paid: ${amount(order)}. Thank you!`,
      idempotency_key: `paid-${order.id}`,
    });
  }
}

/** `12.90 EUR`, with as many decimals as the currency has. */
export function amount({
  currency_code,
  total_minor_units,
}: Pick<OrderRecord, 'currency_code' | 'total_minor_units'>): string {
  const { maximumFractionDigits: digits = 2 } = new Intl.NumberFormat('en', {
    style: 'currency',
    currency: currency_code,
  }).resolvedOptions();
  if (digits === 0) return `${total_minor_units} ${currency_code}`;
  const padded = total_minor_units.padStart(digits + 1, '0');
  return `${padded.slice(0, -digits)}.${padded.slice(-digits)} ${currency_code}`;
}
