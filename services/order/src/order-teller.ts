import { AppError, type RpcClient } from '@parley/kit';
import type { OrderRecord } from './snapshot.ts';

/** Tells a buyer in chat what became of his order. */
export interface OrderTeller {
  tellPaid(order: OrderRecord): Promise<void>;
}

type Rooms = Pick<RpcClient<'chat.RoomAdminService'>, 'applyRoom' | 'deleteRoom' | 'getRoom'>;
type Chat = Pick<RpcClient<'chat.ChatService'>, 'listMessages' | 'sendMessage'>;

const ours = 'order-service';

/** As a SYSTEM message in a private room of the buyer's own, `orders-<user id>`; the message's key makes it one however often it is sent. */
export class ChatTeller implements OrderTeller {
  readonly #rooms: Rooms;
  readonly #chat: Chat;

  constructor(rooms: Rooms, chat: Chat) {
    this.#rooms = rooms;
    this.#chat = chat;
  }

  async tellPaid(order: OrderRecord): Promise<void> {
    const room_id = `orders-${order.user_id}`;
    await this.#open(room_id, order.user_id);
    await this.#chat.sendMessage({
      room_id,
      user_id: '0',
      username: 'Parley',
      type: 'MESSAGE_TYPE_SYSTEM',
      content: `Your order ${order.id} is paid: ${amount(order)}. Thank you!`,
      idempotency_key: `paid-${order.id}`,
    });
  }

  /**
   * Where rooms are open, anybody may have made one of that name before us, and what he wrote there is not ours to show:
   * only a room that has an owner keeps its messages.
   */
  async #open(room_id: string, userId: string): Promise<void> {
    const owner = { namespace: '', name: room_id, uid: ours, generation: 1 };
    for (;;) {
      const owned = await this.#isOwned(room_id);
      await this.#rooms.applyRoom({
        room_id,
        spec: { display_name: 'Your orders', topic: 'What becomes of them', private: true, member_ids: [userId] },
        owner,
      });
      if (owned || (await this.#isClean(room_id))) return;
      await this.#rooms.deleteRoom({ room_id, owner });
    }
  }

  /** Whether the room has an owner. One that has none is deleted. */
  async #isOwned(room_id: string): Promise<boolean> {
    const room = await unless('NOT_FOUND', this.#rooms.getRoom({ room_id }));
    if (room === undefined) return false;
    if (room.owner) return true;
    // For an owner that no room has: one that another pod of ours has taken meanwhile is not deleted.
    const nobody = { namespace: '', name: room_id, uid: `not-${ours}` };
    return (await unless('ALREADY_EXISTS', this.#rooms.deleteRoom({ room_id, owner: nobody }))) === undefined;
  }

  /** Whether nobody came in between: what others leave begins with a notice that they came. */
  async #isClean(room_id: string): Promise<boolean> {
    const { messages } = await this.#chat.listMessages({ room_id });
    return messages.every(({ type }) => type === 'MESSAGE_TYPE_SYSTEM');
  }
}

/** What a call answers; undefined where it fails with this code. */
async function unless<Answer>(code: AppError['code'], call: Promise<Answer>): Promise<Answer | undefined> {
  try {
    return await call;
  } catch (error) {
    if (error instanceof AppError && error.code === code) return undefined;
    throw error;
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
