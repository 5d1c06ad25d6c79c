/** A Connect stream for tests: asks and awaits the answer with its ref, and remembers all else. */
import type { AppError, DuplexCall } from '@parley/kit';
import type { ClientFrame } from '@parley/proto/chat/ClientFrame';
import type { ServerFrame__Output } from '@parley/proto/chat/ServerFrame';

export class Talker implements Disposable {
  readonly frames: ServerFrame__Output[] = [];
  readonly ended: Promise<AppError | undefined>;
  readonly #call: DuplexCall<ClientFrame, ServerFrame__Output>;
  readonly #waiting = new Map<string, (frame: ServerFrame__Output) => void>();
  #refs = 0;

  constructor(call: DuplexCall<ClientFrame, ServerFrame__Output>) {
    this.#call = call;
    this.ended = call
      .each((frame) => {
        this.frames.push(frame);
        const waiting = this.#waiting.get(frame.ref);
        this.#waiting.delete(frame.ref);
        waiting?.(frame);
      })
      .then(
        () => undefined,
        (error: AppError) => error,
      );
  }

  /** Sends a frame and waits for the first with its ref. */
  ask(frame: ClientFrame): Promise<ServerFrame__Output> {
    const ref = `r${++this.#refs}`;
    return new Promise((resolve) => {
      this.#waiting.set(ref, resolve);
      this.#call.write({ ...frame, ref });
    });
  }

  tell(frame: ClientFrame): void {
    this.#call.write(frame);
  }

  end(): void {
    this.#call.end();
  }

  textsIn(room: string): string[] {
    return this.frames
      .filter(({ event }) => event?.room_id === room)
      .flatMap(({ event }) => event!.messages)
      .filter(({ type }) => type === 'MESSAGE_TYPE_TEXT')
      .map(({ content }) => content);
  }

  closedIn(room: string) {
    return this.frames
      .filter(({ event }) => event?.room_id === room && event.closed)
      .map(({ ref, event }) => ({ ref, code: event!.closed!.code, cursor: event!.closed!.cursor }));
  }

  [Symbol.dispose](): void {
    this.#call.cancel();
  }
}
