/** What travels: the published messages as JSON has them, by their generated types. */
export type { ChatMessage__Output as ChatMessage } from '@parley/proto/chat/ChatMessage';
export type { ListMessagesResponse__Output as ListMessagesResponse } from '@parley/proto/chat/ListMessagesResponse';
export type { ListRoomsResponse__Output as ListRoomsResponse } from '@parley/proto/chat/ListRoomsResponse';
export type { MessageType__Output as MessageType } from '@parley/proto/chat/MessageType';
export type { RoomInfo__Output as RoomInfo } from '@parley/proto/chat/RoomInfo';
export type { SendMessageResponse__Output as SendMessageResponse } from '@parley/proto/chat/SendMessageResponse';
export type { ListOrdersResponse__Output as ListOrdersResponse } from '@parley/proto/order/ListOrdersResponse';
export type { Money__Output as Money } from '@parley/proto/order/Money';
export type { Order__Output as Order } from '@parley/proto/order/Order';
export type { Product__Output as Product } from '@parley/proto/order/Product';
export type { Payment__Output as Payment } from '@parley/proto/payment/Payment';
export type { ListUsersResponse__Output as ListUsersResponse } from '@parley/proto/user/ListUsersResponse';
export type { User__Output as User } from '@parley/proto/user/User';

import type { ClientFrame } from '@parley/proto/chat/ClientFrame';
import type { GetRoomInfoResponse__Output } from '@parley/proto/chat/GetRoomInfoResponse';
import type { HistoryLost__Output } from '@parley/proto/chat/HistoryLost';
import type { RoomInfo__Output } from '@parley/proto/chat/RoomInfo';
import type { ServerFrame__Output } from '@parley/proto/chat/ServerFrame';

/** A frame from the page or the command line; one member beside `ref` is set. */
export type { ClientFrame };

/** A frame from the gateway: one member beside `ref` is set, and what is unset may be absent. */
export type ServerFrame = Partial<ServerFrame__Output>;

/** Why a room's stream could not go on where it was. */
export type HistoryLost = Exclude<HistoryLost__Output, 'HISTORY_LOST_UNSPECIFIED'>;

/** A room with who is in it. */
export type RoomDetails = GetRoomInfoResponse__Output & { room: RoomInfo__Output };
