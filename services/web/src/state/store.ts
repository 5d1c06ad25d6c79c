/** The state of the page: one value, replaced as a whole, and a hook that draws again when it was. */
import type { LinkState, RoomInfo, RoomState } from '@parley/client';
import { useLayoutEffect, useState } from 'preact/hooks';
import { parseRoute, type Route } from './routes.ts';

export interface Me {
  userId: string;
  username: string;
  guest: boolean;
}

export interface Toast {
  text: string;
  tone: 'plain' | 'bad';
}

export interface AppState {
  phase: 'starting' | 'signed-out' | 'in';
  /** Why somebody has to sign in, where there is something to say. */
  notice?: string;
  /** What is wrong with the name that a guest had: the form for guests is shown again. */
  wrongName?: string;
  me?: Me;
  link: LinkState;
  route: Route;
  rooms: readonly RoomInfo[];
  roomsRead: boolean;
  roomsProblem?: string;
  /** The room that was opened last, as it was read by itself: the list of many rooms takes longer. */
  here?: RoomInfo;
  open: ReadonlyMap<string, RoomState>;
  /** The first message that was unread when its room was opened, by room. */
  newFrom: ReadonlyMap<string, number>;
  toast?: Toast;
  dialog?: 'switcher' | 'members';
}

let state: AppState = {
  phase: 'starting',
  link: { status: 'stopped' },
  route: parseRoute(location.hash),
  rooms: [],
  roomsRead: false,
  open: new Map(),
  newFrom: new Map(),
};
const listeners = new Set<() => void>();

export function appState(): AppState {
  return state;
}

export function change(patch: Partial<AppState>): void {
  state = { ...state, ...patch };
  for (const listener of listeners) listener();
}

/** The state, and a new drawing whenever it changes. */
export function useApp(): AppState {
  const [, draw] = useState({});
  useLayoutEffect(() => {
    const listener = () => draw({});
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, []);
  return state;
}

let toastTimer: ReturnType<typeof setTimeout> | undefined;

/** Says something in passing; it is read out as well. */
export function say(text: string, tone: Toast['tone'] = 'plain'): void {
  clearTimeout(toastTimer);
  change({ toast: { text, tone } });
  toastTimer = setTimeout(() => change({ toast: undefined }), 6_000);
}

/** What is known of a room beside what is said in it. */
export function infoOf(roomId: string): RoomInfo | undefined {
  const { rooms, here } = state;
  return rooms.find(({ id }) => id === roomId) ?? (here?.id === roomId ? here : undefined);
}
