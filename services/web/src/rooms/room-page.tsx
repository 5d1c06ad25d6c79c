import { emptyRoom, type RoomState } from '@parley/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { Outage } from '../parts/connection-state.tsx';
import { Icon } from '../parts/icon.tsx';
import { enter, leaveRoom } from '../state/chat.ts';
import { sentence } from '../state/problem-text.ts';
import { go, hashOf } from '../state/routes.ts';
import { appState, infoOf, useApp } from '../state/store.ts';
import { type Person, PersonActions } from './actions.tsx';
import { Composer } from './composer.tsx';
import { besideTalk, Members } from './members.tsx';
import { MessageLog } from './message-log.tsx';
import { roomNameText } from './switcher.tsx';

export function RoomPage({ roomId }: { roomId: string }) {
  const { open } = useApp();
  const [showsMembers, setShowsMembers] = useState(besideTalk.matches);
  const [person, setPerson] = useState<Person>();
  const heading = useRef<HTMLHeadingElement>(null);
  const membersButton = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    const resized = () => setShowsMembers(besideTalk.matches);
    besideTalk.addEventListener('change', resized);
    return () => besideTalk.removeEventListener('change', resized);
  }, []);
  // Without a keyboard at hand the field would call up the one on the screen: begin at the top instead.
  useEffect(() => {
    if (!matchMedia('(hover: hover)').matches) heading.current?.focus();
  }, []);
  const room = open.get(roomId) ?? emptyRoom(roomId);
  const info = infoOf(roomId);
  const closeMembers = () => {
    setShowsMembers(false);
    membersButton.current?.focus();
  };
  return (
    <main class="room" aria-label={info?.name || roomId}>
      <header class="room-head">
        <a class="round back" href={hashOf({ page: 'rooms' })} aria-label="All rooms">
          <Icon name="back" />
        </a>
        <div class="room-title">
          <h1 class="display" ref={heading} tabIndex={-1}>
            {info?.name || roomId}
          </h1>
          {info?.topic && <p class="quiet">{info.topic}</p>}
        </div>
        <button
          type="button"
          ref={membersButton}
          class="round with-count"
          aria-pressed={showsMembers}
          aria-label={`${room.members.size} here`}
          title="Who is here"
          onClick={() => setShowsMembers(!showsMembers)}
          data-testid="members"
        >
          <Icon name="people" /> <span aria-hidden="true">{room.members.size}</span>
        </button>
        <button
          type="button"
          class="round"
          aria-label="Leave this room"
          title="Leave this room"
          onClick={() => leave(roomId)}
          data-testid="leave"
        >
          <Icon name="close" />
        </button>
      </header>
      <div class="room-body">
        <div class="talk">
          <Outage />
          <NotYet room={room} />
          {room.phase === 'refused' ? (
            <Refused room={room} />
          ) : (
            <MessageLog room={room} newFrom={appState().newFrom.get(roomId)} onPerson={setPerson} />
          )}
          <Typing room={room} />
          {room.phase !== 'refused' && (
            <Composer roomId={roomId} name={info?.name || roomId} disabled={info?.archived ?? false} />
          )}
        </div>
        {showsMembers && <Members room={room} onPerson={setPerson} onClose={closeMembers} />}
      </div>
      {person && <PersonActions roomId={roomId} person={person} onClose={() => setPerson(undefined)} />}
    </main>
  );
}

function leave(roomId: string) {
  leaveRoom(roomId);
  go({ page: 'rooms' });
}

const refusals: Record<string, { title: string; text?: string }> = {
  INVALID_ARGUMENT: { title: 'No room can have that name', text: roomNameText },
  NOT_FOUND: { title: 'There is no such room' },
};

function Refused({ room }: { room: RoomState }) {
  const { title, text } = refusals[room.error?.code ?? ''] ?? { title: 'This room is closed to you', text: undefined };
  return (
    <div class="refused" role="alert">
      <p class="display">{title}</p>
      <p>{text ?? sentence(room.error?.message ?? 'the server refused it')}</p>
      {!text && (
        <button type="button" onClick={() => enter(room.roomId)}>
          Try again
        </button>
      )}
    </div>
  );
}

/** A room that is full, or a limit: it is asked for again without anybody's doing. */
function NotYet({ room: { phase, error } }: { room: RoomState }) {
  if (phase !== 'opening' || !error) return null;
  return (
    <p class="outage" role="status" data-testid="not-yet">
      {sentence(error.message)} It opens here as soon as it can.
    </p>
  );
}

function Typing({ room }: { room: RoomState }) {
  const names = room.typing.map(({ username }) => username);
  const text = names.length === 0 ? '' : names.length > 3 ? 'Several people are typing' : `${listOf(names)} typing`;
  return (
    <p class="typing" data-testid="typing" aria-live="off">
      {text && (
        <>
          {text}
          <span class="ellipsis" aria-hidden="true" />
        </>
      )}
    </p>
  );
}

function listOf(names: readonly string[]): string {
  const list = new Intl.ListFormat('en').format(names);
  return `${list} ${names.length === 1 ? 'is' : 'are'}`;
}
