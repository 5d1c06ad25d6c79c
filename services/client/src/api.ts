/** The REST API, one function a route. */
import { call, type HttpRequest } from './http.ts';
import type {
  ChatMessage,
  ListMessagesResponse,
  ListOrdersResponse,
  ListRoomsResponse,
  ListUsersResponse,
  Order,
  Payment,
  Product,
  RoomDetails,
  SendMessageResponse,
  User,
} from './wire.ts';

export interface Item {
  product_id: string;
  quantity: number;
}

export type Api = ReturnType<typeof createApi>;

/**
 * @param origin the gateway's, such as `http://localhost:8080`.
 * @param token gives an access token; an empty one is a guest's.
 */
export function createApi(origin: string, token: () => Promise<string>) {
  async function get<Answer>(path: string, query?: HttpRequest['query'], signal?: AbortSignal): Promise<Answer> {
    return call(origin, { path, query, signal, token: await token() });
  }
  async function change<Answer>(method: string, path: string, body?: unknown, headers?: Record<string, string>) {
    return call<Answer>(origin, { method, path, body, headers, token: await token() });
  }
  const id = encodeURIComponent;

  return {
    users: {
      list: (page = 1, pageSize = 20) => get<ListUsersResponse>('/v1/users', { page, page_size: pageSize }),
      get: async (userId: string) => (await get<{ user: User }>(`/v1/users/${id(userId)}`)).user,
    },
    rooms: {
      list: (pageToken = '', pageSize = 200) =>
        get<ListRoomsResponse>('/v1/rooms', { page_size: pageSize, page_token: pageToken }),
      get: (roomId: string, signal?: AbortSignal) => get<RoomDetails>(`/v1/rooms/${id(roomId)}`, undefined, signal),
      messages: (roomId: string, after = '', limit = 100) =>
        get<ListMessagesResponse>(`/v1/rooms/${id(roomId)}/messages`, { after, limit }),
      /** The same key again is the same message, however often it is sent. */
      send: (roomId: string, message: Partial<ChatMessage>, key: string) =>
        change<SendMessageResponse>('POST', `/v1/rooms/${id(roomId)}/messages`, message, { 'idempotency-key': key }),
      removeMessage: (roomId: string, messageId: string) =>
        change('DELETE', `/v1/rooms/${id(roomId)}/messages/${id(messageId)}`),
      /** @param seconds 0 ends a mute. */
      mute: (roomId: string, userId: string, seconds: number) =>
        change('POST', `/v1/rooms/${id(roomId)}/members/${id(userId)}:mute`, { seconds: String(seconds) }),
      removeMember: (roomId: string, userId: string) =>
        change('DELETE', `/v1/rooms/${id(roomId)}/members/${id(userId)}`),
    },
    products: async () => (await get<{ products: Product[] }>('/v1/products')).products,
    orders: {
      /** The same key again is the same order, charged once. */
      create: async (items: readonly Item[], cardToken: string, key: string) =>
        (
          await change<{ order: Order }>(
            'POST',
            '/v1/orders',
            { items, card_token: cardToken },
            { 'idempotency-key': key },
          )
        ).order,
      list: (pageToken = '', pageSize = 50) =>
        get<ListOrdersResponse>('/v1/orders', { page_size: pageSize, page_token: pageToken }),
      get: async (orderId: string, signal?: AbortSignal) =>
        (await get<{ order: Order }>(`/v1/orders/${id(orderId)}`, undefined, signal)).order,
      cancel: async (orderId: string) =>
        (await change<{ order: Order }>('POST', `/v1/orders/${id(orderId)}:cancel`, {})).order,
    },
    payments: {
      get: async (paymentId: string) => (await get<{ payment: Payment }>(`/v1/payments/${id(paymentId)}`)).payment,
    },
  };
}
