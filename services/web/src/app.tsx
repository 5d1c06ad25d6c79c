/**
 * The page. Tests and browser extensions find its controls by `data-testid`:
 *
 * | where | ids |
 * | --- | --- |
 * | sign-in | mode-login, mode-register, username, email, password, submit, full-name, guest (the tab),
 * | | guest-name, guest-submit, sign-in-problem |
 * | everywhere | connection-state (data-status: connecting, online, waiting), retry-now, outage, theme, logout, toast, switcher |
 * | rooms | room-item (data-room, data-unread), room-name, room-open |
 * | room | composer, send, message (data-id, data-sequence, data-state: sent, sending, failed, removed), notice, typing, |
 * |      | history-lost, member, members, leave, retry, dismiss, to-bottom, message-menu, remove, mute, kick |
 * | orders | orders-link, product, more, less, card, order-create, order (data-state), order-cancel |
 */
import { useEffect } from 'preact/hooks';
import { OrdersPage } from './orders/orders-page.tsx';
import { ConnectionNews } from './parts/connection-state.tsx';
import { Toast } from './parts/toast.tsx';
import { RoomPage } from './rooms/room-page.tsx';
import { RoomsPane } from './rooms/rooms-pane.tsx';
import { Switcher } from './rooms/switcher.tsx';
import { SignIn } from './sign-in/sign-in.tsx';
import { useApp } from './state/store.ts';

export function App() {
  const { phase, route, dialog } = useApp();
  useTitle();
  if (phase === 'starting') return <main class="starting" aria-busy="true" />;
  if (phase === 'signed-out')
    return (
      <>
        <SignIn />
        <Toast />
      </>
    );
  return (
    <div class="shell" data-page={route.page}>
      <RoomsPane />
      {route.page === 'room' && <RoomPage key={route.roomId} roomId={route.roomId} />}
      {route.page === 'orders' && <OrdersPage />}
      {route.page === 'rooms' && <Welcome />}
      {dialog === 'switcher' && <Switcher />}
      <ConnectionNews />
      <Toast />
    </div>
  );
}

/** Unread messages and the room that is open, for whoever looks at his tabs. */
function useTitle() {
  const { phase, route, open } = useApp();
  const here = route.page === 'room' ? route.roomId : undefined;
  const unread = [...open.values()].reduce((sum, room) => sum + (room.roomId === here ? 0 : room.unread), 0);
  const title = [unread > 0 ? `(${unread})` : '', phase === 'in' && here ? `${here} ·` : '', 'Parley']
    .filter(Boolean)
    .join(' ');
  useEffect(() => {
    document.title = title;
  }, [title]);
}

function Welcome() {
  return (
    <main class="welcome">
      <p class="display">Pick a room to begin.</p>
      <p class="quiet">What you missed is kept for you.</p>
    </main>
  );
}
