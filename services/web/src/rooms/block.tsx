import type { ChatMessage, Welcome } from '@parley/client';
import { sequenceOf } from '@parley/client';
import { Component } from 'preact';
import type { Person } from './actions.tsx';
import { dayOf, dayText } from './days.ts';
import { MessageRow, NoticeRow } from './rows.tsx';

interface Props {
  messages: readonly ChatMessage[];
  previous: ChatMessage | undefined;
  me: string;
  removed: ReadonlySet<string>;
  newFrom?: number | undefined;
  welcome?: Welcome | undefined;
  onPerson: (person: Person) => void;
}

/** Messages of one person within this time read as one turn. */
const turnMs = 5 * 60_000;

/** A run of messages that is drawn again only when one of them changes. */
export class Block extends Component<Props> {
  override shouldComponentUpdate(next: Props): boolean {
    const { messages, previous, me, newFrom, welcome } = this.props;
    return (
      next.me !== me ||
      next.newFrom !== newFrom ||
      next.welcome !== welcome ||
      next.previous !== previous ||
      next.messages.length !== messages.length ||
      next.messages.some((message, index) => message !== messages[index])
    );
  }

  override render() {
    const { messages, previous, me, newFrom, welcome, removed, onPerson } = this.props;
    return (
      <div class="block">
        {messages.map((message, index) => {
          const before = messages[index - 1] ?? previous;
          const newDay = !before || dayOf(before.timestamp) !== dayOf(message.timestamp);
          const isNew = newFrom !== undefined && sequenceOf(message) === newFrom;
          return (
            <div key={message.id} class="entry">
              {newDay && <p class="day">{dayText(message.timestamp)}</p>}
              {isNew && <p class="new-line">New</p>}
              {isTalk(message) ? (
                <MessageRow
                  message={message}
                  own={message.user_id === me}
                  continues={!newDay && !isNew && welcome?.after !== before?.id && continues(before, message)}
                  removed={message.content === '' || removed.has(message.id)}
                  onPerson={onPerson}
                />
              ) : (
                <NoticeRow message={message} />
              )}
              {welcome?.after === message.id && <NoticeRow message={welcome.message} />}
            </div>
          );
        })}
      </div>
    );
  }
}

function isTalk({ type }: ChatMessage): boolean {
  return type === 'MESSAGE_TYPE_TEXT' || type === 'MESSAGE_TYPE_UNSPECIFIED';
}

function continues(before: ChatMessage | undefined, message: ChatMessage): boolean {
  if (!before || !isTalk(before) || before.user_id !== message.user_id) return false;
  return Date.parse(message.timestamp) - Date.parse(before.timestamp) < turnMs;
}
