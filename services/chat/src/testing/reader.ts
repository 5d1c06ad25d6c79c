/** A subscriber for tests: remembers all that it was sent, and how its stream ended. */
import type { AppError, ReadableCall } from '@parley/kit';
import type { ChatMessage__Output } from '@parley/proto/chat/ChatMessage';
import type { SubscribeResponse__Output } from '@parley/proto/chat/SubscribeResponse';

export class Reader implements Disposable {
  readonly messages: ChatMessage__Output[] = [];
  readonly frames: SubscribeResponse__Output[] = [];
  /** How it ended: nothing where the server ended it well. */
  readonly ended: Promise<AppError | undefined>;
  readonly #call: ReadableCall<unknown>;

  private constructor(call: ReadableCall<unknown>, take: (message: never) => void) {
    this.#call = call;
    this.ended = call.each(take as (message: unknown) => void).then(
      () => undefined,
      (error: AppError) => error,
    );
  }

  static ofJoin(call: ReadableCall<ChatMessage__Output>): Reader {
    const reader: Reader = new Reader(call, (message: ChatMessage__Output) => reader.messages.push(message));
    return reader;
  }

  static ofSubscribe(call: ReadableCall<SubscribeResponse__Output>): Reader {
    const reader: Reader = new Reader(call, (frame: SubscribeResponse__Output) => {
      reader.frames.push(frame);
      reader.messages.push(...frame.messages);
    });
    return reader;
  }

  get texts(): string[] {
    return this.messages.filter(({ type }) => type === 'MESSAGE_TYPE_TEXT').map(({ content }) => content);
  }

  /** Types and who: `JOIN alice`. */
  get notices(): string[] {
    return this.messages
      .filter(({ type }) => type === 'MESSAGE_TYPE_JOIN' || type === 'MESSAGE_TYPE_LEAVE')
      .map(({ type, user_id }) => `${type.replace('MESSAGE_TYPE_', '')} ${user_id}`);
  }

  get opened() {
    return this.frames.find((frame) => frame.opened)?.opened;
  }

  get closed() {
    return this.frames.find((frame) => frame.closed)?.closed;
  }

  get cursor(): string {
    const last = this.messages.findLast(({ sequence }) => sequence !== '0');
    return last ? `${last.epoch}-${last.sequence}` : '';
  }

  cancel(): void {
    this.#call.cancel();
  }

  [Symbol.dispose](): void {
    this.cancel();
  }
}
