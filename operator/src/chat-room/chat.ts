import type { RpcClient } from '@parley/kit';

/** What the operator asks of the chat service. */
export type RoomAdmin = RpcClient<'chat.RoomAdminService'>;

/** What it asks of the user service. */
export type UserDirectory = Pick<RpcClient<'auth.AuthService'>, 'lookupUsers'>;
