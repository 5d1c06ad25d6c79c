/** Brings typed messages to the server: one at a time in each room, with one key each, until they are answered. */
import { type BackoffLimits, backoffMs } from './backoff.ts';
import type { Link } from './link.ts';
import { isPassing, ParleyError } from './problem.ts';
import type { OutboxEvent } from './room/events.ts';
import { nextToSend } from './room/outbox.ts';
import type { Pending, RoomState } from './room/state.ts';

export interface SenderOptions {
  link: Link;
  limits: BackoffLimits | undefined;
  room: (roomId: string) => RoomState;
  apply: (roomId: string, event: OutboxEvent) => void;
  /** In whose name a guest speaks. */
  identity: () => { user_id?: string; username?: string };
}

export const maxContentBytes = 16_384;

export class Sender {
  readonly #options: SenderOptions;
  readonly #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor(options: SenderOptions) {
    this.#options = options;
  }

  stop(): void {
    for (const timer of this.#timers.values()) clearTimeout(timer);
  }

  /** Sends what is next in a room, if anything is and its time has come. */
  pump(roomId: string): void {
    const { link, room } = this.#options;
    if (link.state.status !== 'online') return;
    const next = nextToSend(room(roomId).pending, Date.now());
    if (next) void this.#transmit(roomId, next).then(() => this.pump(roomId));
    else this.#pumpLater(roomId, room(roomId).pending);
  }

  async #transmit(roomId: string, { key, content, tries }: Pending): Promise<void> {
    const { link, apply, identity } = this.#options;
    apply(roomId, { kind: 'sending', key });
    const message = { room_id: roomId, content, type: 'MESSAGE_TYPE_TEXT' as const, idempotency_key: key };
    try {
      const { sent } = await link.request({ send: { ...message, ...identity() } });
      if (!sent) throw new ParleyError('INTERNAL', 'the server gave an answer to something else');
      apply(roomId, { kind: 'acknowledged', key, answer: sent });
    } catch (error) {
      this.#failed(roomId, key, tries, error as ParleyError);
    }
  }

  #failed(roomId: string, key: string, tries: number, { code, message, details }: ParleyError): void {
    const { link, apply, limits } = this.#options;
    if (!isPassing(code)) {
      apply(roomId, { kind: 'failed', key, error: { code, message } });
      return;
    }
    // With the link gone the next one sends it at once; with the link there, the server wants to be left alone.
    const waitMs = link.state.status === 'online' ? (details.retryAfterMs ?? backoffMs(tries, limits)) : 0;
    apply(roomId, { kind: 'postponed', key, notBefore: Date.now() + waitMs });
  }

  #pumpLater(roomId: string, pending: readonly Pending[]): void {
    const waiting = pending.find((one) => one.state === 'queued' && one.notBefore > Date.now());
    if (!waiting || pending.some((one) => one.state === 'sending')) return;
    clearTimeout(this.#timers.get(roomId));
    this.#timers.set(
      roomId,
      setTimeout(() => this.pump(roomId), waiting.notBefore - Date.now() + 1),
    );
  }
}

/** What the server would refuse anyway, said without asking it. */
export function whatIsWrong(content: string): string | undefined {
  if (content.trim() === '') return 'a message needs some text';
  const bytes = new TextEncoder().encode(content).length;
  if (bytes <= maxContentBytes) return undefined;
  const [is, most] = [bytes, maxContentBytes].map((count) => count.toLocaleString('en'));
  return `the message is ${is} bytes long; at most ${most} are allowed`;
}
