import type { ChatMessage, HistoryLost, SendMessageResponse } from '../wire.ts';

/** Everything that can happen to a room. */
export type RoomEvent =
  | { kind: 'identified'; me: string }
  | { kind: 'opening' }
  | { kind: 'opened'; cursor: string; resumed: boolean; lost?: HistoryLost }
  | { kind: 'messages'; messages: readonly ChatMessage[] }
  | { kind: 'welcomed'; message: ChatMessage }
  | { kind: 'older'; messages: readonly ChatMessage[]; fromStart: boolean }
  | { kind: 'present'; userIds: readonly string[]; cursor: string }
  | { kind: 'named'; names: ReadonlyMap<string, string> }
  | { kind: 'refused'; error: { code: string; message: string } }
  /** Not now; it is asked for again. */
  | { kind: 'deferred'; error: { code: string; message: string } }
  | { kind: 'closed' }
  | { kind: 'typing'; userId: string; username: string; until: number }
  | { kind: 'unread'; count: number }
  | { kind: 'tick'; now: number }
  | OutboxEvent;

/** What happens to a message that was typed here. */
export type OutboxEvent =
  | { kind: 'queued'; key: string; content: string; at: number }
  | { kind: 'sending'; key: string }
  | { kind: 'postponed'; key: string; notBefore: number }
  | { kind: 'acknowledged'; key: string; answer: SendMessageResponse }
  | { kind: 'failed'; key: string; error: { code: string; message: string } }
  | { kind: 'retried'; key: string }
  | { kind: 'dismissed'; key: string };
