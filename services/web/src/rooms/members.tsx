import type { RoomState } from '@parley/client';
import { useLayoutEffect, useRef } from 'preact/hooks';
import { Avatar } from '../parts/avatar.tsx';
import { Icon } from '../parts/icon.tsx';
import type { Person } from './actions.tsx';
import { roving, useRoving } from './roving.ts';

/** Whether there is a place for them beside the conversation; room.css lays them over it otherwise. */
export const besideTalk = matchMedia('(min-width: 70.01rem)');

/** Who is here now: beside the conversation, or over it on a small screen. */
export function Members(props: { room: RoomState; onPerson: (person: Person) => void; onClose: () => void }) {
  const { room, onPerson, onClose } = props;
  const panel = useRef<HTMLElement>(null);
  const list = useRoving();
  // What lies over the conversation was asked for, and is where one goes on.
  useLayoutEffect(() => {
    if (!besideTalk.matches) panel.current?.focus();
  }, []);
  const people = [...room.members].map(([userId, name]) => ({ userId, username: name || userId }));
  people.sort((a, b) => a.username.localeCompare(b.username));
  return (
    <aside
      ref={panel}
      class="members"
      tabIndex={-1}
      aria-label="Who is here"
      onKeyDown={(event) => event.key === 'Escape' && onClose()}
    >
      <header class="members-head">
        <h2>Here now</h2>
        <button type="button" class="round close" onClick={onClose} aria-label="Close">
          <Icon name="close" />
        </button>
      </header>
      <ul ref={list} onKeyDown={roving}>
        {people.slice(0, 500).map((person, index) => (
          <li key={person.userId}>
            <button
              type="button"
              class="member"
              tabIndex={index === 0 ? 0 : -1}
              onClick={() => onPerson(person)}
              data-user={person.userId}
              data-testid="member"
            >
              <Avatar id={person.userId} name={person.username} />
              <span class="who" dir="auto">
                {person.username}
              </span>
              {person.userId === room.me && <small>you</small>}
            </button>
          </li>
        ))}
      </ul>
      {people.length > 500 && <p class="quiet">and {(people.length - 500).toLocaleString()} more</p>}
    </aside>
  );
}
