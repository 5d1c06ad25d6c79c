/**
 * What was typed and is not in the log outlives a reload of the tab, with its keys, so that it is still said once. What was
 * refused comes back as refused: only its author says whether it is tried again.
 */
import type { Pending } from '@parley/client';
import { appState } from './store.ts';

interface Unsent {
  userId: string;
  /** With an error: refused. */
  sends: ({ roomId: string } & Pick<Pending, 'key' | 'content' | 'at' | 'error'>)[];
}

const name = 'parley.unsent';

/** Called when the page goes away. */
export function keepUnsent(): void {
  const { open, me } = appState();
  const sends = [...open.values()].flatMap(({ roomId, pending }) =>
    pending.flatMap(({ key, content, at, state, error }) =>
      state === 'acknowledged' ? [] : [{ roomId, key, content, at, ...(state === 'failed' ? { error } : {}) }],
    ),
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
