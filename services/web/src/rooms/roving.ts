/** Arrow keys in a list of links or buttons of which one is in the tab order. */
export function roving(event: KeyboardEvent): void {
  const list = event.currentTarget as HTMLElement;
  const items = [...list.querySelectorAll<HTMLElement>('[tabindex]')];
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
