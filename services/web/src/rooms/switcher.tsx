import { useLayoutEffect, useRef, useState } from 'preact/hooks';
import { Sheet } from '../parts/sheet.tsx';
import { go } from '../state/routes.ts';
import { change, useApp } from '../state/store.ts';

export const roomNameText = 'A room’s name has letters, digits, dots, dashes and underscores, a letter or digit first.';
const roomId = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

/** Ctrl K: a room by a few of its letters, or a new one by its name. */
export function Switcher() {
  const { rooms } = useApp();
  const [query, setQuery] = useState('');
  const [picked, setPicked] = useState(0);
  const wanted = query.trim().toLowerCase();
  const found = rooms
    .filter(({ id, name }) => id.toLowerCase().includes(wanted) || name.toLowerCase().includes(wanted))
    .slice(0, 50)
    .map(({ id, name, topic }) => ({ id, label: name || id, note: topic }));
  const isNew = roomId.test(query.trim()) && !rooms.some(({ id }) => id === query.trim());
  const choices = isNew ? [...found, { id: query.trim(), label: `Open “${query.trim()}”`, note: '' }] : found;
  const at = Math.min(picked, choices.length - 1);
  const list = useRef<HTMLDivElement>(null);
  // The focus stays in the field: the list does not follow by itself.
  useLayoutEffect(() => {
    list.current?.querySelector('[aria-selected=true]')?.scrollIntoView({ block: 'nearest' });
  }, [at, query]);
  const close = () => change({ dialog: undefined });
  const open = (id: string) => {
    close();
    go({ page: 'room', roomId: id });
  };
  const keys = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) setPicked(Math.max(0, Math.min(choices.length - 1, at + step)));
    else if (event.key === 'Enter' && choices[at]) open(choices[at].id);
    else return;
    event.preventDefault();
  };
  return (
    <Sheet label="Find or open a room" onClose={close} class="switcher">
      <input
        class="switcher-input"
        role="combobox"
        aria-expanded="true"
        aria-controls="switcher-rooms"
        aria-activedescendant={choices[at] ? `room-choice-${at}` : undefined}
        aria-label="Name of a room"
        placeholder="Name of a room"
        autoCapitalize="none"
        spellcheck={false}
        value={query}
        onInput={(event) => {
          setQuery(event.currentTarget.value);
          setPicked(0);
        }}
        onKeyDown={keys}
        data-testid="room-name"
      />
      <div ref={list} id="switcher-rooms" role="listbox" aria-label="Rooms">
        {choices.map((choice, index) => (
          // biome-ignore lint/a11y/useKeyWithClickEvents: the keyboard picks from the field, as a combobox does
          <div
            key={choice.id}
            id={`room-choice-${index}`}
            role="option"
            tabIndex={-1}
            aria-selected={index === at}
            onClick={() => open(choice.id)}
            data-testid="room-open"
          >
            <span>{choice.label}</span>
            {choice.note && <small>{choice.note}</small>}
          </div>
        ))}
      </div>
      {choices.length === 0 && <p class="quiet">{roomNameText}</p>}
    </Sheet>
  );
}
