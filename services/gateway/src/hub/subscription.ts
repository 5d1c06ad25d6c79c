/** One viewer in one room: first what he missed, page by page, then the live feed, with no gap and no repeat. */
import { type CodeName, unavailable } from '@parley/kit';
import type { Closed__Output } from '@parley/proto/chat/Closed';
import type { ListMessagesResponse__Output } from '@parley/proto/chat/ListMessagesResponse';
import type { Opened__Output } from '@parley/proto/chat/Opened';
import type { Typing__Output } from '@parley/proto/chat/Typing';
import { Batch, Entry } from './entry.ts';
import type { Member } from './member.ts';
import { formatCursor, type Position, parseCursor } from './position.ts';
import type { Room } from './room.ts';

/** Who looks at rooms: a WebSocket or an event stream. */
export interface Viewer {
  /** @param ref of the request that this answers */
  opened(roomId: string, opened: Opened__Output, ref?: string): void;
  deliver(batch: Batch): void;
  closed(roomId: string, closed: Closed__Output): void;
  typing(typing: Typing__Output): void;
}

export interface Wish {
  after: string;
  observe: boolean;
  ref: string;
}

export class Subscription {
  readonly room: Room;
  readonly member: Member;
  readonly viewer: Viewer;
  /** Of the live feed he has everything up to this sequence already. */
  skipTo = 0;
  #ended = false;
  readonly #onEnd: () => void;

  constructor(room: Room, member: Member, viewer: Viewer, onEnd: () => void) {
    this.room = room;
    this.member = member;
    this.viewer = viewer;
    this.#onEnd = onEnd;
    member.subscriptions.add(this);
  }

  /** Resolves once the viewer is on the live feed. @throws AppError where he may not be, or the room cannot be read. */
  async start({ after, observe, ref }: Wish): Promise<void> {
    try {
      const from = parseCursor(after);
      await this.member.enter(observe, after);
      if (this.#ended) return;
      const isKept = from !== undefined && this.room.covers(from) && (await this.room.keeps(from));
      if (this.#ended) return;
      if (isKept && this.room.covers(from)) {
        this.viewer.opened(this.room.id, this.#openedWith(true), ref);
        this.room.goLive(this, from);
      } else {
        await this.#catchUp(after, ref);
      }
    } catch (error) {
      this.stop();
      throw error;
    }
  }

  /** Ends it from our side; the viewer is told. */
  end(closed: Closed__Output): void {
    if (this.#ended) return;
    this.stop();
    this.viewer.closed(this.room.id, closed);
  }

  /** What to say when it ends: from where to go on elsewhere. */
  closing(code: CodeName): Closed__Output {
    return { code, cursor: formatCursor(this.room.head) };
  }

  /** Ends it without a word: the viewer has gone, or has asked for it. */
  stop(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.room.leaveLive(this);
    this.member.drop(this);
    this.#onEnd();
  }

  async #catchUp(after: string, ref: string): Promise<void> {
    let page = await this.room.page(after);
    if (this.#ended) return;
    this.viewer.opened(this.room.id, this.#openedWith(after !== '', page), ref);
    let at = this.#show(page) ?? this.room.head;
    if (after === '') this.room.welcome(this);
    for (let stuck = 0; stuck < 5; ) {
      if (at === undefined) throw unavailable('the room cannot be read at the moment: try again');
      const head = this.room.head;
      // Ahead of the feed is as good as at it: the feed comes to this place, and what is known is left out.
      if (head && head.epoch === at.epoch && (this.room.covers(at) || at.sequence >= head.sequence)) {
        this.room.goLive(this, at);
        return;
      }
      page = await this.room.page(formatCursor(at));
      if (this.#ended) return;
      if (isLost(page)) this.viewer.opened(this.room.id, this.#openedWith(false, page));
      const next = this.#show(page);
      const progress = next && (next.epoch !== at.epoch || next.sequence > at.sequence);
      if (progress) at = next;
      else {
        stuck++;
        await new Promise((resolve) => setTimeout(resolve, 20 * 2 ** stuck));
      }
    }
    throw unavailable('the room changes too fast to follow: try again');
  }

  /** Hands a page on. @returns the place after it */
  #show({ messages, cursor }: ListMessagesResponse__Output): Position | undefined {
    const entries = messages.map((message) => new Entry(message));
    if (entries.length > 0) this.viewer.deliver(new Batch(this.room.id, entries));
    return entries.at(-1) ?? parseCursor(cursor, 'cursor');
  }

  #openedWith(resumes: boolean, page?: ListMessagesResponse__Output): Opened__Output {
    const cursors = [this.room.end, parseCursor(page?.cursor, 'cursor'), page?.messages.at(-1)].filter(
      (one) => one !== undefined,
    );
    const last = cursors.reduce((a, b) => (Number(b.sequence) > Number(a.sequence) || a.epoch !== b.epoch ? b : a));
    const history_lost = page?.history_lost ?? 'HISTORY_LOST_UNSPECIFIED';
    const resumed = resumes && history_lost === 'HISTORY_LOST_UNSPECIFIED';
    return { cursor: `${last.epoch}-${last.sequence}`, resumed, history_lost };
  }
}

const isLost = ({ history_lost }: ListMessagesResponse__Output) => history_lost !== 'HISTORY_LOST_UNSPECIFIED';
