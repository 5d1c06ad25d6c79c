/** A message as the hub hands it on: its JSON is built once, however many viewers there are. */
import type { ChatMessage__Output } from '@parley/proto/chat/ChatMessage';
import { textFrame } from '../live/frame.ts';

export class Entry {
  readonly id: string;
  readonly epoch: string;
  readonly sequence: number;
  /** The id of the message that this one blanks, with MESSAGE_TYPE_REMOVED. */
  readonly removes: string;
  readonly json: string;

  constructor(message: ChatMessage__Output) {
    this.id = message.id;
    this.epoch = message.epoch;
    this.sequence = Number(message.sequence);
    this.removes = message.type === 'MESSAGE_TYPE_REMOVED' ? message.target_id : '';
    this.json = JSON.stringify(message);
  }

  /** The same place in the log without the text. */
  blanked(): Entry {
    return new Entry({ ...(JSON.parse(this.json) as ChatMessage__Output), content: '' });
  }
}

/** Some entries of a room on their way to viewers; each form is made when the first viewer wants it. */
export class Batch {
  readonly roomId: string;
  readonly entries: readonly Entry[];
  #webSocket: Buffer | undefined;
  #events: Buffer | undefined;

  constructor(roomId: string, entries: readonly Entry[]) {
    this.roomId = roomId;
    this.entries = entries;
  }

  /** A WebSocket text frame with a ServerFrame: the bytes on the wire, which are the same for every viewer. */
  get webSocket(): Buffer {
    this.#webSocket ??= textFrame(
      `{"event":{"room_id":${JSON.stringify(this.roomId)},"messages":[${this.entries.map(({ json }) => json).join(',')}]}}`,
    );
    return this.#webSocket;
  }

  /** Server-sent events. */
  get events(): Buffer {
    this.#events ??= Buffer.from(
      this.entries
        .map(({ epoch, sequence, json }) => {
          // A line of no place in the log is nothing to resume after.
          const id = sequence > 0 ? `id: ${epoch}-${sequence}\n` : '';
          return `${id}event: message\ndata: ${json}\n\n`;
        })
        .join(''),
    );
    return this.#events;
  }

  /** What of it comes after a place. */
  after(sequence: number): Batch {
    return new Batch(
      this.roomId,
      this.entries.filter((entry) => entry.sequence > sequence),
    );
  }
}
