/** A room on a Connect stream: one feed, and the members whom the stream has brought in. */
import { type AppError, type CodeName, unavailable } from '@parley/kit';
import type { ServerFrame } from '@parley/proto/chat/ServerFrame';
import type { SubscribeRequest__Output } from '@parley/proto/chat/SubscribeRequest';
import type { Place, Subscriber } from '../delivery/subscriber.ts';
import type { Lost, Position } from '../log/log.ts';
import { formatCursor, parseCursor } from '../messages/cursor.ts';
import { type Actor, whyNotRead } from '../rooms/access.ts';
import type { RoomRecord } from '../rooms/record.ts';
import { serverFrame } from './codecs.ts';
import type { Connection } from './connect.ts';
import { lineOutside, openedWith, startOf, welcomeLine } from './read-streams.ts';
import type { StreamOutlet } from './stream-outlet.ts';
import { type Visit, visit } from './visit.ts';

interface Admitted {
  ref: string;
  visit: Visit;
  actor: Actor;
}

export class ConnectedRoom implements Subscriber {
  readonly form = 'event';
  readonly without = undefined;
  readonly roomId: string;
  readonly outlet: StreamOutlet;
  readonly #connection: Connection;
  readonly #members = new Map<string, Admitted>();
  #first: Visit | undefined;
  #place: Place | undefined;
  #opening: Promise<boolean> | undefined;
  /** The welcome as a gateway was told it. */
  #told = '';

  constructor(connection: Connection, roomId: string) {
    this.#connection = connection;
    this.roomId = roomId;
    this.outlet = connection.outlet;
  }

  get record(): RoomRecord | undefined {
    return this.#first?.feed.record;
  }

  /** Whether the room is open, once that is known. */
  async opened(): Promise<boolean> {
    return (await this.#opening) === true && this.#place !== undefined;
  }

  /** The first subscriber opens the feed: `opened` by his ref, then the messages. @throws AppError as a visit does. */
  async open(ref: string, request: SubscribeRequest__Output): Promise<void> {
    const opening = this.#open(ref, request);
    this.#opening = opening.then(
      () => true,
      () => false,
    );
    try {
      await opening;
    } catch (error) {
      this.#connection.forget(this);
      throw error;
    }
  }

  async #open(ref: string, request: SubscribeRequest__Output): Promise<void> {
    const after = parseCursor(request.after);
    const { parts } = this.#connection;
    const visitor = await visit(parts, request, this.#connection);
    try {
      const { sequence, lost } = await startOf(visitor, after);
      if (this.#connection.over)
        throw this.#connection.context.signal.reason ?? unavailable('this stream has ended: connect again');
      const { feed } = visitor;
      this.#first = visitor;
      this.#members.set(visitor.actor.userId, { ref, visit: visitor, actor: visitor.actor });
      this.#connection.answer({ ref, event: { room_id: this.roomId, opened: openedWith(feed.head, after, lost) } });
      this.#place = feed.attach(this, sequence, lost !== undefined);
      const welcome = after || this.#isGateways ? undefined : welcomeLine(visitor);
      if (welcome) this.#tell({ event: { room_id: this.roomId, messages: [welcome] } });
      this.recordChanged(feed.record);
    } catch (error) {
      visitor.leave();
      throw error;
    }
  }

  /** One more member: he is there from now on, and reads the feed that is open. */
  async admit(ref: string, request: SubscribeRequest__Output): Promise<ServerFrame> {
    parseCursor(request.after);
    const { parts } = this.#connection;
    const visitor = await visit(parts, request, this.#connection);
    if (this.#connection.over || this.#place === undefined) {
      visitor.leave();
      throw this.#connection.context.signal.reason ?? unavailable('the room was closed meanwhile: subscribe again');
    }
    const { actor } = visitor;
    const before = this.#members.get(actor.userId);
    this.#members.set(actor.userId, { ref, visit: visitor, actor });
    before?.visit.leave();
    const unreadable = whyNotRead(visitor.feed.record, actor);
    if (unreadable) {
      this.#drop(actor.userId);
      throw unreadable;
    }
    return { event: { room_id: this.roomId, opened: openedWith(visitor.feed.head, undefined, undefined) } };
  }

  /** A member goes, or with the empty id all of them. */
  release(userId: string): void {
    if (userId === '') this.dispose();
    else this.#drop(userId);
  }

  /** Says that the feed ends here, and from where to go on. */
  close(code: CodeName): void {
    if (this.#place === undefined) return;
    this.#tell({ event: { room_id: this.roomId, closed: { code, cursor: this.#cursor() } } });
    this.dispose();
  }

  dispose(): void {
    this.#connection.forget(this);
    if (this.#place) this.#first?.feed.detach(this.#place);
    this.#place = undefined;
    const members = [...this.#members.values()];
    this.#members.clear();
    for (const { visit } of members) visit.leave();
  }

  lost(reason: Lost, head: Position): boolean {
    const opened = { cursor: formatCursor(head), resumed: false, history_lost: `HISTORY_LOST_${reason}` as const };
    this.#tell({ event: { room_id: this.roomId, opened } });
    return true;
  }

  recordChanged(record: RoomRecord | undefined): void {
    if (record === undefined) {
      this.close('NOT_FOUND');
      return;
    }
    if (this.#isGateways) this.#tellWelcome(record.spec.welcomeMessage);
    for (const { actor } of [...this.#members.values()]) {
      const unreadable = whyNotRead(record, actor);
      if (unreadable) this.#dismiss(actor.userId, unreadable.code);
    }
  }

  memberRemoved(userId: string): void {
    if (this.#members.has(userId)) this.#dismiss(userId, 'PERMISSION_DENIED');
  }

  typing(userId: string, username: string): void {
    if (!this.#connection.vouches && this.#members.has(userId)) return;
    // By the time a slow reader hears of it, it is not so any more.
    if (this.outlet.pendingBytes > this.outlet.holdBytes) return;
    this.#tell({ typing: { room_id: this.roomId, user_id: userId, username } });
  }

  /** He cannot be served here any more. One who reads too slowly loses the whole stream: its rooms share one way out. */
  end(error: AppError): void {
    if (error.code === 'RESOURCE_EXHAUSTED') this.#connection.end(error);
    else this.close(error.code);
  }

  get #isGateways(): boolean {
    return this.#connection.caller.kind === 'service';
  }

  /** A gateway greets its viewers itself: it learns the welcome wherever its feed begins, and each time it is another one. */
  #tellWelcome(content: string): void {
    if (content === this.#told) return;
    this.#told = content;
    this.#tell({
      event: { room_id: this.roomId, messages: [lineOutside(this.roomId, 'MESSAGE_TYPE_SYSTEM', { content })] },
    });
  }

  #dismiss(userId: string, code: CodeName): void {
    const member = this.#members.get(userId);
    if (member === undefined) return;
    this.#tell({ ref: member.ref, event: { room_id: this.roomId, closed: { code, cursor: this.#cursor() } } });
    this.#drop(userId);
  }

  #drop(userId: string): void {
    const member = this.#members.get(userId);
    if (member === undefined) return;
    this.#members.delete(userId);
    if (this.#members.size === 0) this.dispose();
    // The one who opened the feed may go while others stay: theirs is the same feed.
    member.visit.leave();
  }

  #cursor(): string {
    return formatCursor(this.#first!.feed.positionOf(this.#place!));
  }

  #tell(frame: ServerFrame): void {
    this.outlet.gather(serverFrame(frame));
  }
}
