import { fileURLToPath } from 'node:url';
import type { AuthServiceDefinition, AuthServiceHandlers } from './gen/auth/AuthService.ts';
import type { ChatServiceDefinition, ChatServiceHandlers } from './gen/chat/ChatService.ts';
import type { RoomAdminServiceDefinition, RoomAdminServiceHandlers } from './gen/chat/RoomAdminService.ts';
import type { OrderServiceDefinition, OrderServiceHandlers } from './gen/order/OrderService.ts';
import type { PaymentServiceDefinition, PaymentServiceHandlers } from './gen/payment/PaymentService.ts';
import type { UserServiceDefinition, UserServiceHandlers } from './gen/user/UserService.ts';

/** The folder that holds the .proto files, for @grpc/proto-loader's includeDirs. */
export const protoDirectory = fileURLToPath(new URL('.', import.meta.url));

/** The .proto file that declares each service. */
export const serviceFiles = {
  'user.UserService': 'user.proto',
  'auth.AuthService': 'auth.proto',
  'chat.ChatService': 'chat.proto',
  'chat.RoomAdminService': 'chat.proto',
  'order.OrderService': 'order.proto',
  'payment.PaymentService': 'payment.proto',
} as const satisfies Record<keyof Services, string>;

export type ServiceName = keyof Services;

/** Every service of the API with its generated types: what servers and clients are typed by. */
export interface Services {
  'user.UserService': { definition: UserServiceDefinition; handlers: UserServiceHandlers };
  'auth.AuthService': { definition: AuthServiceDefinition; handlers: AuthServiceHandlers };
  'chat.ChatService': { definition: ChatServiceDefinition; handlers: ChatServiceHandlers };
  'chat.RoomAdminService': { definition: RoomAdminServiceDefinition; handlers: RoomAdminServiceHandlers };
  'order.OrderService': { definition: OrderServiceDefinition; handlers: OrderServiceHandlers };
  'payment.PaymentService': { definition: PaymentServiceDefinition; handlers: PaymentServiceHandlers };
}
