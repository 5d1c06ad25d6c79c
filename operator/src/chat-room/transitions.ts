import type { ChatRoom, ChatRoomStatus } from '../api/index.ts';
import { type EventText, findCondition } from '../runtime/index.ts';

/**
 * The Events for what a status says that the one before did not say. A room that is made as asked is no news. What was
 * done in chat is told when it is done, by the writer: the same drift again is the same condition.
 */
export function eventsFor(room: ChatRoom, status: ChatRoomStatus): EventText[] {
  const turned = (type: string) => {
    const [before, after] = [room.status?.conditions, status.conditions].map((list) => findCondition(list, type));
    const same = before?.status === after?.status && before?.message === after?.message;
    return after && !same ? { before, after } : undefined;
  };
  const events: EventText[] = [];
  const ready = turned('Ready');
  if (ready?.after.status === 'True' && ready.before && ready.before.status !== 'True') {
    const note = 'The room is as this resource says.';
    events.push({ type: 'Normal', reason: 'Applied', action: 'Apply', note });
  } else if (ready && ready.after.status !== 'True' && ready.before?.reason !== ready.after.reason) {
    events.push({ type: 'Warning', reason: ready.after.reason, action: 'Apply', note: ready.after.message });
  }
  const members = turned('MembersResolved')?.after;
  if (members?.status === 'False') {
    events.push({ type: 'Warning', reason: members.reason, action: 'LookUp', note: members.message });
  }
  return events;
}
