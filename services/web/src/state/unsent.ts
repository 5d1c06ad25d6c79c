/** What was typed and not answered yet outlives a reload of the tab, with its keys, so that it is still said once. */
import { appState } from './store.ts';

interface Unsent {
  userId: string;
  sends: { roomId: string; key: string; content: string }[];
}

const name = 'parley.unsent';

/** Called when the page goes away. */
export function keepUnsent(): void {
  const { open, me } = appState();
  const sends = [...open.values()].flatMap(({ roomId, pending }) =>
    pending.flatMap(({ key, content, state }) => (state === 'acknowledged' ? [] : [{ roomId, key, content }])),
  );
  try {
    if (me && sends.length > 0) sessionStorage.setItem(name, JSON.stringify({ userId: me.userId, sends }));
  } catch {
    // Storage can be full or forbidden; then a reload forgets.
  }
}

/** What the tab had not sent when it was reloaded; told once. */
export function takeUnsent(userId: string): Unsent['sends'] {
  try {
    const unsent = JSON.parse(sessionStorage.getItem(name) ?? 'null') as Unsent | null;
    sessionStorage.removeItem(name);
    return unsent?.userId === userId ? unsent.sends : [];
  } catch {
    return [];
  }
}
