import type { RoomInfo } from '@parley/client';
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { Avatar } from '../parts/avatar.tsx';
import { ConnectionState } from '../parts/connection-state.tsx';
import { Icon } from '../parts/icon.tsx';
import { Mark } from '../parts/mark.tsx';
import { ThemeButton } from '../parts/theme-button.tsx';
import { end, readRooms } from '../state/chat.ts';
import { hashOf, type Route } from '../state/routes.ts';
import { leave } from '../state/sign-in.ts';
import { appState, change, infoOf, useApp } from '../state/store.ts';
import { roving, useRoving } from './roving.ts';

const jumpKeys = /Mac|iP/.test(navigator.platform) ? '⌘ K' : 'Ctrl K';

export function RoomsPane() {
  const { rooms, route, me, open, here: info } = useApp();
  const here = route.page === 'room' ? route.roomId : undefined;
  const marks = [...open.values()].map(({ roomId, unread }) => `${roomId} ${unread}`).join();
  // There can be a thousand rooms: they are drawn again when something about them is new, not for every message.
  const list = useMemo(
    () => <RoomList rooms={withHere(rooms, here)} here={here} page={route.page} />,
    [rooms, here, info, marks, route.page],
  );
  return (
    <nav class="rooms-pane" aria-label="Rooms">
      <header class="pane-head">
        <span class="wordmark">
          <Mark /> Parley
        </span>
        <ThemeButton />
      </header>
      <button type="button" class="jump" onClick={() => change({ dialog: 'switcher' })} data-testid="switcher">
        <Icon name="search" /> <span>Find or open a room</span> <kbd>{jumpKeys}</kbd>
      </button>
      {list}
      <RoomsProblem />
      <footer class="pane-foot">
        {!me?.guest && (
          <a
            class="foot-link"
            href={hashOf({ page: 'orders' })}
            aria-current={route.page === 'orders' ? 'page' : undefined}
            data-testid="orders-link"
          >
            <Icon name="bag" /> Orders
          </a>
        )}
        <ConnectionState />
        <div class="me">
          <Avatar id={me?.userId ?? ''} name={me?.username ?? ''} />
          <span class="who">
            {me?.username} {me?.guest && <small>guest</small>}
          </span>
          <button
            type="button"
            class="round"
            onClick={logout}
            aria-label="Log out"
            title="Log out"
            data-testid="logout"
          >
            <Icon name="leave" />
          </button>
        </div>
      </footer>
    </nav>
  );
}

function RoomList({
  rooms,
  here,
  page,
}: {
  rooms: readonly RoomInfo[];
  here: string | undefined;
  page: Route['page'];
}) {
  const list = useRoving();
  const wasElsewhere = useRef(false);
  // Back from a room, the arrow keys are in the list again.
  useEffect(() => {
    if (page === 'rooms' && wasElsewhere.current) list.current?.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
    wasElsewhere.current = page !== 'rooms';
  }, [page]);
  return (
    <ul class="rooms" ref={list} onKeyDown={roving}>
      {rooms.map((room, index) => (
        <RoomItem key={room.id} room={room} here={room.id === here} first={here ? room.id === here : index === 0} />
      ))}
    </ul>
  );
}

function RoomItem({ room, here, first }: { room: RoomInfo; here: boolean; first: boolean }) {
  const unread = appState().open.get(room.id)?.unread ?? Number(room.unread);
  const shown = here ? 0 : unread;
  return (
    <li>
      <a
        class="room-item"
        href={hashOf({ page: 'room', roomId: room.id })}
        aria-current={here ? 'page' : undefined}
        tabIndex={first ? 0 : -1}
        data-room={room.id}
        data-unread={shown}
        data-testid="room-item"
      >
        <span class="room-name" dir="auto">
          {room.name || room.id}
        </span>
        {room.private && <small class="tag">private</small>}
        {room.archived && <small class="tag">archived</small>}
        {shown > 0 && (
          <span class="unread">
            <span class="hidden">unread: </span>
            {shown > 99 ? '99+' : shown}
          </span>
        )}
        {room.topic && (
          <span class="topic" dir="auto">
            {room.topic}
          </span>
        )}
      </a>
    </li>
  );
}

function RoomsProblem() {
  const { rooms, roomsRead, roomsProblem } = useApp();
  if (rooms.length > 0) return null;
  if (roomsProblem)
    return (
      <p class="pane-note">
        {roomsProblem}{' '}
        <button type="button" class="link" onClick={() => void readRooms()}>
          Try again
        </button>
      </p>
    );
  return <p class="pane-note">{roomsRead ? 'There are no rooms yet.' : 'Reading the rooms…'}</p>;
}

/** The room that is open is in the list from the first moment on. */
function withHere(rooms: readonly RoomInfo[], here: string | undefined): readonly RoomInfo[] {
  if (!here || rooms.some(({ id }) => id === here)) return rooms;
  const none = { user_count: 0, created_at: '', topic: '', private: false, archived: false, cursor: '', unread: '0' };
  return [infoOf(here) ?? { id: here, name: here, ...none }, ...rooms];
}

function logout() {
  const { me } = appState();
  void leave(me);
  end();
  location.hash = '#/';
}
