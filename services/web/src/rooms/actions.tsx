import type { ChatMessage } from '@parley/client';
import { Avatar } from '../parts/avatar.tsx';
import { Sheet } from '../parts/sheet.tsx';
import { api } from '../state/chat.ts';
import { problemText } from '../state/problem-text.ts';
import { appState, say } from '../state/store.ts';
import { linksIn } from './links.ts';

/** Somebody that one points at, in the list of who is here or by a message of his. */
export interface Person {
  userId: string;
  username: string;
  message?: ChatMessage;
}

const muteSeconds = 10 * 60;

/** What can be done about a person or his message. The server decides who may; its answer is shown. */
export function PersonActions({ roomId, person, onClose }: { roomId: string; person: Person; onClose: () => void }) {
  const { userId, username, message } = person;
  const act = (work: () => Promise<unknown>, done: string) => () => {
    onClose();
    work().then(
      () => say(done),
      (error) => say(problemText(error), 'bad'),
    );
  };
  const me = appState().me;
  const isMe = userId === me?.userId;
  return (
    <Sheet label={`About ${username}`} onClose={onClose}>
      <p class="sheet-head">
        <Avatar id={userId} name={username} /> <strong dir="auto">{username}</strong>
      </p>
      {message && (
        <blockquote class="quoted" dir="auto">
          {message.content.slice(0, 200)}
        </blockquote>
      )}
      <div class="sheet-actions">
        {linksIn(message?.content ?? '').map((href) => (
          <a key={href} class="sheet-link" href={href} target="_blank" rel="noopener noreferrer nofollow">
            {href}
          </a>
        ))}
        {message && (
          <button
            type="button"
            onClick={() => {
              onClose();
              void copy(message.content);
            }}
          >
            Copy text
          </button>
        )}
        {message && !me?.guest && (
          <button
            type="button"
            class="bad"
            onClick={act(() => api.rooms.removeMessage(roomId, message.id), 'The message was removed.')}
            data-testid="remove"
          >
            Remove message
          </button>
        )}
        {!isMe && !me?.guest && (
          <>
            <button
              type="button"
              onClick={act(() => api.rooms.mute(roomId, userId, muteSeconds), `${username} is mute for 10 minutes.`)}
              data-testid="mute"
            >
              Mute for 10 minutes
            </button>
            <button type="button" onClick={act(() => api.rooms.mute(roomId, userId, 0), `${username} may speak.`)}>
              End a mute
            </button>
            <button
              type="button"
              class="bad"
              onClick={act(() => api.rooms.removeMember(roomId, userId), `${username} was removed from the room.`)}
              data-testid="kick"
            >
              Remove from the room
            </button>
          </>
        )}
        <button type="button" onClick={onClose}>
          Cancel
        </button>
      </div>
    </Sheet>
  );
}

/** Browsers let a page write to the clipboard over HTTPS or on localhost only, and may refuse it there. */
async function copy(text: string): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    say('Copied.');
  } catch {
    say('This browser does not let the page copy. Mark the text and copy it by hand.', 'bad');
  }
}
