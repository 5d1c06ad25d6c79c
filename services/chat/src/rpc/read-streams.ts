/** JoinRoom, as published, and Subscribe: batched, with resume. */
import type { CallContext, Outgoing } from '@parley/kit';
import type { ChatMessage } from '@parley/proto/chat/ChatMessage';
import type { JoinRoomRequest__Output } from '@parley/proto/chat/JoinRoomRequest';
import type { SubscribeRequest__Output } from '@parley/proto/chat/SubscribeRequest';
import type { SubscribeResponse } from '@parley/proto/chat/SubscribeResponse';
import type { Lost, Position } from '../log/log.ts';
import { formatCursor, formatTime, parseCursor } from '../messages/cursor.ts';
import { messageId } from '../messages/message-id.ts';
import { batchFrame, singleFrame } from './codecs.ts';
import type { ChatParts } from './parts.ts';
import { RoomStream } from './room-stream.ts';
import { StreamOutlet } from './stream-outlet.ts';
import { type Visit, visit } from './visit.ts';

export interface Start {
  /** Everything after this is sent. */
  sequence: number;
  lost: Lost | undefined;
}

/** Where a visitor's stream begins: after his cursor, or with the room's usual history and at the latest with his own JOIN. */
export async function startOf({ feed, joined }: Visit, after: Position | undefined): Promise<Start> {
  if (after) {
    const { sequence, lost } = await feed.locate(after);
    return { sequence, lost };
  }
  const history = await feed.historyStart();
  const own = joined && joined.epoch === feed.head.epoch ? joined.sequence - 1 : history;
  return { sequence: Math.min(history, own), lost: undefined };
}

export async function joinRoom(
  parts: ChatParts,
  request: JoinRoomRequest__Output,
  context: CallContext,
  out: Outgoing<ChatMessage>,
): Promise<void> {
  const after = parseCursor(request.after);
  const visitor = await visit(parts, { ...request, observe: false }, context);
  const { feed, actor } = visitor;
  let stream: RoomStream | undefined;
  try {
    // What he has just said in another window is not told live here: it has to be history.
    if (!after && visitor.joined === undefined) await feed.refresh();
    const start = await startOf(visitor, after);
    const history = after ? undefined : endOfHistory(visitor, feed.endsWithJoin(actor.userId, start.sequence));
    stream = new RoomStream({
      form: 'single',
      feed,
      actor,
      caller: context.caller,
      outlet: new StreamOutlet(out.framed, parts.settings.queueBytes),
      movable: after !== undefined,
      withoutOwnAfter: feed.head.sequence,
    });
    parts.streams.add(stream);
    await stream.run(start, context.signal, history);
  } finally {
    if (stream) parts.streams.delete(stream);
    visitor.leave();
  }
}

export async function subscribe(
  parts: ChatParts,
  request: SubscribeRequest__Output,
  context: CallContext,
  out: Outgoing<SubscribeResponse>,
): Promise<void> {
  const after = parseCursor(request.after);
  const visitor = await visit(parts, request, context);
  const { feed, actor } = visitor;
  let stream: RoomStream | undefined;
  try {
    const start = await startOf(visitor, after);
    const outlet = new StreamOutlet(out.framed, parts.settings.queueBytes);
    stream = new RoomStream({
      form: 'batch',
      feed,
      actor,
      caller: context.caller,
      outlet,
      movable: true,
      withoutOwnAfter: undefined,
    });
    parts.streams.add(stream);
    outlet.write(batchFrame({ room_id: request.room_id, opened: openedWith(feed.head, after, start.lost) }));
    const welcome = after ? undefined : welcomeLine(visitor);
    await stream.run(start, context.signal, welcome && batchFrame({ room_id: request.room_id, messages: [welcome] }));
  } finally {
    if (stream) parts.streams.delete(stream);
    visitor.leave();
  }
}

/** The cursor is the end of the log as the stream opens: what comes up to it is history, what comes after it is live. */
export function openedWith(head: Position, after: Position | undefined, lost: Lost | undefined) {
  return {
    cursor: formatCursor(head),
    resumed: after !== undefined && lost === undefined,
    history_lost: lost ? (`HISTORY_LOST_${lost}` as const) : ('HISTORY_LOST_UNSPECIFIED' as const),
  };
}

/** The room's welcome, for who comes: a line of no place in the log, sequence 0. */
export function welcomeLine({ feed }: Visit): ChatMessage | undefined {
  const { welcomeMessage } = feed.record.spec;
  return welcomeMessage === ''
    ? undefined
    : lineOutside(feed.roomId, 'MESSAGE_TYPE_SYSTEM', { content: welcomeMessage });
}

/**
 * A reader of JoinRoom knows by his own JOIN that he is in, and where the history ends. Where he was there before, with
 * another window, none is written; unless the old one is the last line, he gets one of no place in the log instead.
 */
function endOfHistory(visitor: Visit, endsWithJoin: boolean): Buffer | undefined {
  const { feed, actor } = visitor;
  const lines: ChatMessage[] = [];
  if (!endsWithJoin && visitor.joined === undefined) {
    const { userId: user_id, username } = actor;
    lines.push(
      lineOutside(feed.roomId, 'MESSAGE_TYPE_JOIN', { user_id, username, content: `${username} joined the room` }),
    );
  }
  const welcome = welcomeLine(visitor);
  if (welcome) lines.push(welcome);
  return lines.length === 0 ? undefined : Buffer.concat(lines.map(singleFrame));
}

/** A line of no place in the log, such as a room's welcome. */
export function lineOutside(room_id: string, type: ChatMessage['type'], fields: ChatMessage): ChatMessage {
  return { id: messageId(), room_id, type, timestamp: formatTime(Date.now()), sequence: 0, ...fields };
}
