/** Messages typed here: shown at once, sent one after the other with a key each, replaced by the log's own. */
import type { ChatMessage } from '../wire.ts';
import type { OutboxEvent } from './events.ts';
import type { Pending, RoomState } from './state.ts';
import { sequenceOf } from './state.ts';

/** What is to be sent next: one at a time, so that a person's lines keep his order. Undefined: nothing, or wait. */
export function nextToSend(pending: readonly Pending[], now: number): Pending | undefined {
  if (pending.some(({ state }) => state === 'sending')) return undefined;
  const first = pending.find(({ state }) => state === 'queued');
  return first && first.notBefore <= now ? first : undefined;
}

export function outbox(state: RoomState, event: OutboxEvent): RoomState {
  if (event.kind === 'queued') return { ...state, pending: [...state.pending, queued(event)] };
  if (event.kind === 'dismissed') return { ...state, pending: state.pending.filter(({ key }) => key !== event.key) };
  if (event.kind === 'acknowledged') return dropSeen(claim(state, event));
  return { ...state, pending: state.pending.map((one) => (one.key === event.key ? changed(one, event) : one)) };
}

function queued(event: { key: string; content: string; at: number }): Pending {
  const { key, content, at } = event;
  return { key, content, at, state: 'queued', notBefore: 0, tries: 0 };
}

function changed(
  one: Pending,
  event: Exclude<OutboxEvent, { kind: 'queued' | 'dismissed' | 'acknowledged' }>,
): Pending {
  if (one.state === 'acknowledged') return one;
  switch (event.kind) {
    case 'sending':
      return { ...one, state: 'sending', tries: one.tries + 1, error: undefined };
    case 'postponed':
      return { ...one, state: 'queued', notBefore: event.notBefore };
    case 'failed':
      return { ...one, state: 'failed', error: event.error };
    case 'retried':
      return { ...one, state: 'queued', notBefore: 0, tries: 0, error: undefined };
  }
}

/** The acknowledgement names the log's message; whoever had guessed at that one gives it up. */
function claim(state: RoomState, event: Extract<OutboxEvent, { kind: 'acknowledged' }>): RoomState {
  const { message_id: messageId, sequence, epoch } = event.answer;
  const guess = state.pending.find(({ key }) => key === event.key)?.messageId;
  const pending = state.pending.map((one): Pending => {
    if (one.key === event.key)
      return { ...one, state: 'acknowledged', messageId, sequence: Number(sequence), epoch, error: undefined };
    return one.messageId === messageId ? { ...one, messageId: guess } : one;
  });
  return { ...state, pending };
}

/** One's own message can arrive before its acknowledgement: guess which it is, so that it never shows twice. */
export function recognise(state: RoomState, incoming: readonly ChatMessage[]): RoomState {
  if (state.pending.length === 0 || state.me === '') return dropSeen(state);
  const pending = [...state.pending];
  for (const message of incoming) {
    if (message.user_id !== state.me || message.type !== 'MESSAGE_TYPE_TEXT') continue;
    if (pending.some(({ messageId }) => messageId === message.id)) continue;
    const at = pending.findIndex(
      (one) => one.tries > 0 && one.state !== 'failed' && !one.messageId && one.content === message.content,
    );
    if (at >= 0) pending[at] = { ...pending[at]!, messageId: message.id };
  }
  return dropSeen({ ...state, pending });
}

/** An acknowledged message leaves when the log here has reached it. */
export function dropSeen(state: RoomState): RoomState {
  const last = state.messages.at(-1);
  if (!last || !state.pending.some((one) => one.state === 'acknowledged')) return state;
  const seen = (one: Pending) =>
    one.state === 'acknowledged' && one.epoch === state.epoch && one.sequence! <= sequenceOf(last);
  const pending = state.pending.filter((one) => !seen(one));
  return pending.length === state.pending.length ? state : { ...state, pending };
}
