export type { RoomAdmin, UserDirectory } from './chat.ts';
export { BY_ROOM_ID, ChatRoomController, FIELD_OWNER } from './controller.ts';
export { type Action, type Observed, plan, type SeenRoom } from './plan.ts';
export { REASONS } from './reasons.ts';
