/** Parley for programs, in browsers and in Node: sign-in, REST and the live connection. */
export { type Api, createApi, type Item } from './api.ts';
export { backoffMs } from './backoff.ts';
export { Connection, type ConnectionOptions } from './connection.ts';
export { formatCursor, parseCursor } from './cursor.ts';
export type { Credential, LinkState } from './link.ts';
export { moneyText } from './money.ts';
export { isPassing, ParleyError } from './problem.ts';
export { randomKey } from './random-key.ts';
export type { RoomEvent } from './room/events.ts';
export { reduce } from './room/reduce.ts';
export {
  cursorOf,
  emptyRoom,
  type Pending,
  type RoomState,
  sequenceOf,
  visiblePending,
  type Welcome,
} from './room/state.ts';
export { maxContentBytes, whatIsWrong } from './sender.ts';
export { MemoryKeep, type Registration, Session, type TokenKeep, type Tokens } from './session.ts';
export type * from './wire.ts';
