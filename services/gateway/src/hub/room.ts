/** A room as this gateway follows it: one feed from chat, however many viewers; and for each member that he is there. */
import type { CodeName } from '@parley/kit';
import type { ChatMessage__Output } from '@parley/proto/chat/ChatMessage';
import type { Closed__Output } from '@parley/proto/chat/Closed';
import type { ListMessagesResponse__Output } from '@parley/proto/chat/ListMessagesResponse';
import type { Opened__Output } from '@parley/proto/chat/Opened';
import type { SubscribeResponse__Output } from '@parley/proto/chat/SubscribeResponse';
import type { Typing__Output } from '@parley/proto/chat/Typing';
import { Audience } from './audience.ts';
import { Batch, Entry } from './entry.ts';
import { Member } from './member.ts';
import { formatCursor, type Position, parseCursor } from './position.ts';
import { Recent } from './recent.ts';
import type { Subscription } from './subscription.ts';
import type { Passenger, Stream, Upstream } from './upstream.ts';

export interface RoomSettings {
  id: string;
  upstream: Upstream;
  /** A page of the room's log after a cursor; without one, its newest messages. */
  page(after: string): Promise<ListMessagesResponse__Output>;
  /** The one message after a cursor. */
  next(after: string): Promise<ListMessagesResponse__Output>;
  /** Whether the member has a viewer at the room, be it through this object or one that has taken its place. */
  isWatchedBy(userId: string): boolean;
  /** Nobody looks at the room any more. */
  onEmpty(): void;
}

const historyLastsMs = 1000;

/** What comes back by itself; all other codes end a subscription for good. */
const passing = new Set<string>([
  'UNAVAILABLE',
  'RESOURCE_EXHAUSTED',
  'ABORTED',
  'DEADLINE_EXCEEDED',
  'CANCELLED',
  'INTERNAL',
  'UNKNOWN',
  '',
] satisfies (CodeName | '')[]);

export const isPassing = (code: string): boolean => passing.has(code);

export class Room implements Passenger {
  readonly id: string;
  readonly upstream: Upstream;
  readonly #settings: RoomSettings;
  readonly #members = new Map<string, Member>();
  readonly #audience: Audience;
  /** Up to where the feed has come; undefined until it was opened for the first time. */
  #head: Position | undefined;
  /** The end of the log as chat has said it. */
  #end: Position | undefined;
  #recent: Recent | undefined;
  #stream: Stream | undefined;
  #resumeTimer: NodeJS.Timeout | undefined;
  #resumes = 0;
  #history: { page: Promise<ListMessagesResponse__Output>; until: number } | undefined;
  /** Everything after this was kept a moment ago. */
  #kept: (Position & { until: number }) | undefined;
  #disposed = false;
  /** What the room says to whoever comes: a line of no place in the log. */
  #welcome: ChatMessage__Output | undefined;

  constructor(settings: RoomSettings) {
    this.#settings = settings;
    this.id = settings.id;
    this.upstream = settings.upstream;
    this.#audience = new Audience(settings.id);
  }

  get head(): Position | undefined {
    return this.#head;
  }

  /** The end of the log as far as we know. */
  get end(): Position | undefined {
    const [head, end] = [this.#head, this.#end];
    return head && end && head.epoch === end.epoch && end.sequence > head.sequence ? end : head;
  }

  member(userId: string, username: string): Member {
    let member = this.#members.get(userId);
    if (member === undefined) {
      member = new Member(this, userId, username);
      this.#members.set(userId, member);
    }
    return member;
  }

  hasMember(userId: string): boolean {
    return this.#members.has(userId);
  }

  /** The member has no viewer left here. */
  forget(member: Member): void {
    if (this.#members.get(member.userId) !== member) return;
    this.#members.delete(member.userId);
    const isLast = this.#members.size === 0;
    const user_id = isLast ? '' : member.userId;
    // Who is not answered yet has asked on the current stream.
    (this.#stream ?? this.upstream).tell({ unsubscribe: { room_id: this.id, user_id } });
    if (isLast) this.#dispose();
  }

  /** Chat has let in a member who has gone meanwhile. */
  abandon(stream: Stream, member: Member): void {
    if (this.#settings.isWatchedBy(member.userId)) return;
    stream.tell({ unsubscribe: { room_id: this.id, user_id: member.userId } });
  }

  /** Whether everything after the place is at hand. */
  covers(position: Position): boolean {
    return this.#recent?.covers(position) ?? false;
  }

  /**
   * Whether the room still keeps everything after the place: what is at hand here may be more than that. Asked once for all
   * who come within a second; while chat cannot be asked, what is at hand will do.
   */
  async keeps({ epoch, sequence }: Position): Promise<boolean> {
    if (this.#recent?.after(sequence).length === 0) return true;
    const known = this.#kept;
    if (known && known.epoch === epoch && known.sequence <= sequence && known.until > Date.now()) return true;
    try {
      if (isLost(await this.#settings.next(`${epoch}-${sequence}`))) return false;
      this.#kept = { epoch, sequence, until: Date.now() + historyLastsMs };
    } catch {
      // Then it is as good as kept.
    }
    return true;
  }

  /** From the place on the subscription gets what is at hand and everything that comes. */
  goLive(subscription: Subscription, from: Position): void {
    this.#audience.flush();
    const missed = this.#recent!.after(from.sequence);
    if (missed.length > 0) subscription.viewer.deliver(new Batch(this.id, missed));
    this.#audience.add(subscription, from.sequence);
  }

  /** Greets a viewer who has come without a cursor. */
  welcome({ viewer }: Subscription): void {
    if (!this.#welcome) return;
    viewer.deliver(new Batch(this.id, [new Entry({ ...this.#welcome, timestamp: new Date().toISOString() })]));
  }

  leaveLive(subscription: Subscription): void {
    this.#audience.delete(subscription);
  }

  /**
   * A page after a cursor. The newest messages, without one, are read once for all who come within a second: what has
   * come since is at hand.
   */
  page(after: string): Promise<ListMessagesResponse__Output> {
    if (after !== '') return this.#settings.page(after);
    if (this.#history && this.#history.until > Date.now()) return this.#history.page;
    const history = { page: this.#settings.page(''), until: Date.now() + historyLastsMs };
    this.#history = history;
    history.page.catch(() => {
      if (this.#history === history) this.#history = undefined;
    });
    return history.page;
  }

  /**
   * An answer to a subscribe: the first one on a stream has opened the room's feed there.
   * @returns false where the feed had begun there before, for an answer that came when it was no longer waited for: nobody
   * took what it sent meanwhile. It is ended, and has to be opened again.
   */
  opened(stream: Stream, opened: Opened__Output, asked: string): boolean {
    if (this.#stream === stream || this.#disposed) return true;
    if (asked !== '' && !opened.resumed && !isLost(opened)) {
      stream.tell({ unsubscribe: { room_id: this.id, user_id: '' } });
      return false;
    }
    this.#stream?.passengers.delete(this);
    this.#stream = stream;
    // If there still is one, chat says it next.
    this.#welcome = undefined;
    this.#resumes = 0;
    stream.passengers.add(this);
    const end = parseCursor(opened.cursor, 'cursor') ?? { epoch: '', sequence: 0 };
    const lost = isLost(opened);
    const began = this.#head;
    const after = parseCursor(asked);
    this.#end = end;
    if (began && !lost) return true;
    // What is kept follows from its oldest on, wherever that is: only after the end is everything sure to be at hand.
    const trimmed = opened.history_lost === 'HISTORY_LOST_TRIMMED';
    if (lost) this.#restart({ epoch: end.epoch, sequence: trimmed ? (after?.sequence ?? 0) : 0 }, opened, end);
    else this.#restart(after ?? end);
    return true;
  }

  /** Something of the room's feed. */
  event(stream: Stream, { opened, messages, closed }: SubscribeResponse__Output): void {
    if (stream !== this.#stream) return;
    if (opened && isLost(opened)) {
      this.#restart({ epoch: parseCursor(opened.cursor, 'cursor')?.epoch ?? '', sequence: 0 }, opened);
    }
    for (const message of messages) {
      if (Number(message.sequence) > 0) this.#append(new Entry(message));
      else this.#welcome = message.content === '' ? undefined : message;
    }
    this.#audience.flushSoon();
    if (closed) this.#closed(stream, closed);
  }

  typing(typing: Typing__Output): void {
    this.#audience.typing(typing);
  }

  lost(): void {
    this.#stream = undefined;
    for (const member of this.#members.values()) member.lost();
  }

  resume(): void {
    this.#resumeTimer = undefined;
    for (const member of this.#members.values()) member.resume();
  }

  /** The feed has to be opened again, after a pause that grows. */
  resumeLater(): void {
    const mostMs = Math.min(3000, 50 * 2 ** Math.min(this.#resumes++, 10));
    this.#resumeTimer ??= setTimeout(() => this.resume(), mostMs * (0.5 + Math.random() / 2));
  }

  /** The member may not be here any more. */
  dismiss(member: Member, closed: Closed__Output): void {
    for (const subscription of member.subscriptions) subscription.end(closed);
    this.forget(member);
  }

  /** Ends every subscription, such as when the gateway drains. */
  endAll(code: CodeName): void {
    this.#audience.flush();
    for (const member of [...this.#members.values()]) this.dismiss(member, { code, cursor: formatCursor(this.#head) });
  }

  #closed(stream: Stream, closed: Closed__Output): void {
    this.#audience.flush();
    stream.passengers.delete(this);
    if (!isPassing(closed.code)) {
      this.#stream = undefined;
      for (const member of [...this.#members.values()]) this.dismiss(member, closed);
      return;
    }
    if (closed.code !== 'RESOURCE_EXHAUSTED') this.upstream.retire(stream);
    this.lost();
    this.resumeLater();
  }

  #append(entry: Entry): void {
    if (this.#head === undefined) return;
    if (entry.epoch !== this.#head.epoch) {
      const cursor = formatCursor({ epoch: entry.epoch, sequence: entry.sequence });
      const opened = { cursor, resumed: false, history_lost: 'HISTORY_LOST_EPOCH_CHANGED' } as const;
      this.#restart({ epoch: entry.epoch, sequence: 0 }, opened);
    }
    // The history that chat sends to whoever opens a room: our viewers read theirs page by page.
    if (entry.sequence <= this.#head.sequence) return;
    this.#head = { epoch: entry.epoch, sequence: entry.sequence };
    this.#recent!.push(entry);
    this.#audience.push(entry);
  }

  /** @param lost what viewers of the old log are told */
  #restart(head: Position, lost?: Opened__Output, floor = head): void {
    this.#audience.flush();
    this.#head = head;
    this.#recent = new Recent(floor);
    this.#history = undefined;
    this.#audience.restart(lost);
  }

  #dispose(): void {
    this.#disposed = true;
    this.#audience.dispose();
    clearTimeout(this.#resumeTimer);
    this.#stream?.passengers.delete(this);
    this.#stream = undefined;
    this.#settings.onEmpty();
  }
}

const isLost = ({ history_lost }: Pick<Opened__Output, 'history_lost'>) => history_lost !== 'HISTORY_LOST_UNSPECIFIED';
