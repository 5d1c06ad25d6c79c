/** Where the focus goes when the control that had it is drawn no more: a keyboard would begin again at the top of the page. */
import type { RefObject } from 'preact';
import { useLayoutEffect } from 'preact/hooks';

/** To what the control was in, which has to take it: `tabIndex={-1}`. */
export function useFocusKept(place: RefObject<HTMLElement | null>): void {
  // Seen before the drawing: afterwards nothing tells where it was.
  const held = place.current?.contains(document.activeElement);
  useLayoutEffect(() => {
    if (held && document.activeElement === document.body) place.current?.focus();
  });
}

/** To where one writes; without a keyboard at hand to what one reads, or the one on the screen would jump up. */
export function focusTalk(): void {
  const field = document.querySelector<HTMLElement>('.composer textarea:enabled');
  const log = document.querySelector<HTMLElement>('.log');
  (matchMedia('(hover: hover)').matches && field ? field : log)?.focus();
}
