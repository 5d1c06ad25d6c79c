import type { ChatMessage, Pending } from '@parley/client';
import { useRef } from 'preact/hooks';
import { Avatar, hueOf } from '../parts/avatar.tsx';
import { useFocusKept } from '../parts/focus.ts';
import { Icon } from '../parts/icon.tsx';
import { sentence } from '../state/problem-text.ts';
import type { Person } from './actions.tsx';
import { fullText, timeText } from './days.ts';
import { Said } from './said.tsx';

interface MessageProps {
  message: ChatMessage;
  own: boolean;
  continues: boolean;
  removed: boolean;
  onPerson: (person: Person) => void;
}

export function MessageRow({ message, own, continues, removed, onPerson }: MessageProps) {
  const { id, user_id: userId, username, content, timestamp, sequence } = message;
  const name = username || userId;
  const row = useRef<HTMLElement>(null);
  // A message that is removed has no menu any more.
  useFocusKept(row);
  return (
    <article
      ref={row}
      class={`row ${own ? 'own' : ''} ${continues ? 'continues' : ''}`}
      tabIndex={-1}
      aria-label={`${name}, ${timeText(timestamp)}`}
      data-testid="message"
      data-id={id}
      data-sequence={sequence}
      data-state={removed ? 'removed' : 'sent'}
    >
      {!own && !continues && <Avatar id={userId} name={name} />}
      {!continues && (
        <p class="row-head">
          {!own && (
            <span class="who" dir="auto" data-hue={hueOf(userId)}>
              {name}
            </span>
          )}
          <time dateTime={timestamp} title={fullText(timestamp)}>
            {timeText(timestamp)}
          </time>
        </p>
      )}
      {removed ? <p class="text removed">This message was removed.</p> : <Said content={content} />}
      {!removed && (
        <button
          type="button"
          class="row-menu"
          tabIndex={-1}
          aria-label={`More about the message of ${name}`}
          onClick={() => onPerson({ userId, username: name, message })}
          data-testid="message-menu"
        >
          <Icon name="more" />
        </button>
      )}
    </article>
  );
}

interface PendingProps {
  pending: Pending;
  onRetry: () => void;
  onDismiss: () => void;
}

/** One's own message on its way: there at once, and honest about not having arrived. */
export function PendingRow({ pending, onRetry, onDismiss }: PendingProps) {
  const failed = pending.state === 'failed';
  const state = failed ? 'failed' : pending.state === 'acknowledged' ? 'sent' : 'sending';
  return (
    <article class="row own" tabIndex={-1} data-testid="message" data-state={state} aria-label="Your message">
      <p class="row-head">
        <time>{failed ? 'Not sent' : state === 'sent' ? timeText(pending.at) : 'Sending…'}</time>
      </p>
      <Said content={pending.content} />
      {failed && (
        <p class="failure" role="alert">
          <span>{sentence(pending.error?.message ?? 'it was refused')}</span>
          <button type="button" class="link" onClick={onRetry} data-testid="retry">
            Try again
          </button>
          <button type="button" class="link" onClick={onDismiss} data-testid="dismiss">
            Discard
          </button>
        </p>
      )}
    </article>
  );
}

export function NoticeRow({ message }: { message: ChatMessage }) {
  const { type, username, user_id: userId, content } = message;
  const name = username || userId;
  // The message that was removed says so itself.
  if (type === 'MESSAGE_TYPE_REMOVED') return null;
  const happened = { MESSAGE_TYPE_JOIN: ' joined', MESSAGE_TYPE_LEAVE: ' left' }[type as string];
  return (
    <p class="notice" data-kind={type} data-testid="notice">
      {happened ? <bdi>{name}</bdi> : content}
      {happened}
    </p>
  );
}
