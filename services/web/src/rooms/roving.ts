import { useLayoutEffect, useRef } from 'preact/hooks';

/** Arrow keys in a list of links or buttons of which one is in the tab order. */
export function roving(event: KeyboardEvent): void {
  const items = itemsOf(event.currentTarget as HTMLElement);
  const at = items.indexOf(document.activeElement as HTMLElement);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: items.length - 1 }[event.key];
  if (to === undefined || at < 0) return;
  event.preventDefault();
  const next = items[Math.max(0, Math.min(items.length - 1, to))];
  if (!next) return;
  items[at]!.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

/** For the list that roving() is in: whoever comes or goes, one item is in the tab order, and the focus stays among them. */
export function useRoving() {
  const list = useRef<HTMLUListElement>(null);
  // Seen before the drawing: where the focus is, in case its item is drawn no more.
  const at = list.current ? itemsOf(list.current).indexOf(document.activeElement as HTMLElement) : -1;
  useLayoutEffect(() => {
    const items = itemsOf(list.current!);
    const lost = at >= 0 && document.activeElement === document.body;
    const stop =
      (lost ? items[Math.min(at, items.length - 1)] : items.find((item) => item === document.activeElement)) ??
      items.find(({ tabIndex }) => tabIndex === 0) ??
      items[0];
    for (const item of items) if ((item.tabIndex === 0) !== (item === stop)) item.tabIndex = item === stop ? 0 : -1;
    if (lost) stop?.focus();
  });
  return list;
}

function itemsOf(list: HTMLElement): HTMLElement[] {
  return [...list.querySelectorAll<HTMLElement>('[tabindex]')];
}
