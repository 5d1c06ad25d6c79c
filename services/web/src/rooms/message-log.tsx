import { type Pending, type RoomState, sequenceOf, visiblePending } from '@parley/client';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import { focusTalk } from '../parts/focus.ts';
import { Icon } from '../parts/icon.tsx';
import { dismiss, markRead, readOlder, retry } from '../state/chat.ts';
import type { Person } from './actions.tsx';
import { Blocks } from './blocks.tsx';
import { NoticeRow, PendingRow } from './rows.tsx';

interface Props {
  room: RoomState;
  newFrom?: number | undefined;
  onPerson: (person: Person) => void;
}

const nearPx = 120;
/** What nobody has to scroll down for. */
const unsaid = new Set(['MESSAGE_TYPE_JOIN', 'MESSAGE_TYPE_LEAVE', 'MESSAGE_TYPE_REMOVED']);
const lostText: Record<string, string> = {
  HISTORY_LOST_TRIMMED: 'Some messages between here and there are no longer kept.',
  HISTORY_LOST_EPOCH_CHANGED: 'The server lost this room’s history. What is above is only on your screen.',
};

/** The conversation: stays at the end while one is there, and where one reads when one is not. */
export function MessageLog({ room, newFrom, onPerson }: Props) {
  const scroller = useRef<HTMLDivElement>(null);
  const content = useRef<HTMLDivElement>(null);
  const atEnd = useRef(true);
  const topBefore = useRef(0);
  const firstBefore = useRef<string | undefined>(undefined);
  const [missed, setMissed] = useState(false);
  const [reading, setReading] = useState(false);
  const pending = visiblePending(room);
  const last = room.messages.at(-1)?.id;
  const lastSaid = room.messages.findLast(({ type }) => !unsaid.has(type))?.id;
  const mine = pending.at(-1)?.key;

  const first = room.messages[0]?.id;
  // Seen before the drawing: where the row is that has to stay under the reader's eyes when older ones come above it.
  const kept = first !== firstBefore.current && !atEnd.current ? scroller.current?.querySelector('.row') : undefined;
  const keptTop = kept?.getBoundingClientRect().top ?? 0;

  // What one has typed oneself is always shown.
  useLayoutEffect(() => {
    if (mine) atEnd.current = true;
  }, [mine]);

  useLayoutEffect(() => {
    const element = scroller.current!;
    if (atEnd.current) element.scrollTop = element.scrollHeight;
    else if (kept?.isConnected) element.scrollTop += kept.getBoundingClientRect().top - keptTop;
    firstBefore.current = first;
  }, [room.messages, room.earlier, pending.length, room.roomId]);

  useEffect(() => {
    setMissed(!atEnd.current);
  }, [lastSaid]);

  useEffect(() => {
    const read = () => document.visibilityState === 'visible' && atEnd.current && markRead(room.roomId);
    read();
    document.addEventListener('visibilitychange', read);
    return () => document.removeEventListener('visibilitychange', read);
  }, [last, room.phase]);

  useEffect(() => {
    const element = scroller.current!;
    const stay = new ResizeObserver(() => {
      if (atEnd.current) element.scrollTop = element.scrollHeight;
    });
    stay.observe(element);
    // What is drawn for the first time turns out higher or lower than it was taken for.
    stay.observe(content.current!);
    return () => stay.disconnect();
  }, []);

  // The last of these may come when the log is drawn no more.
  const scrolled = ({ currentTarget: element }: { currentTarget: HTMLElement }) => {
    const near = element.scrollHeight - element.scrollTop - element.clientHeight < nearPx;
    // Only who scrolls up leaves the end: below him it may just have grown.
    if (near) atEnd.current = true;
    else if (element.scrollTop < topBefore.current) atEnd.current = false;
    topBefore.current = element.scrollTop;
    if (atEnd.current && missed) setMissed(false);
    if (atEnd.current) markRead(room.roomId);
    if (element.scrollTop > nearPx * 3 || reading || room.fromStart || room.phase !== 'open') return;
    setReading(true);
    void readOlder(room.roomId).finally(() => setReading(false));
  };
  const toEnd = () => {
    atEnd.current = true;
    setMissed(false);
    scroller.current!.scrollTop = scroller.current!.scrollHeight;
  };

  return (
    <div class="log-frame">
      <section
        class="log"
        ref={scroller}
        onScroll={scrolled}
        onKeyDown={moveBetweenMessages}
        // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls has to be reachable by keyboard
        tabIndex={0}
        aria-label="Messages"
      >
        <div class="log-top">{topText(room, reading)}</div>
        {room.earlier.length > 0 && (
          <Blocks
            messages={room.earlier}
            me={room.me}
            removed={room.removed}
            welcome={room.welcome}
            onPerson={onPerson}
          />
        )}
        {room.lost && room.earlier.length > 0 && (
          <p class="lost" role="alert" data-testid="history-lost">
            {lostText[room.lost] ?? 'Some history was lost.'}
          </p>
        )}
        <div ref={content} role="log" aria-live="polite" aria-busy={room.phase !== 'open'}>
          {room.welcome && !room.welcome.after && <NoticeRow message={room.welcome.message} />}
          <Blocks
            messages={room.messages}
            me={room.me}
            removed={room.removed}
            newFrom={newFrom}
            welcome={room.welcome}
            onPerson={onPerson}
          />
          {pending.map((one: Pending) => (
            <PendingRow
              key={one.key}
              pending={one}
              onRetry={() => {
                retry(room.roomId, one.key);
                focusTalk();
              }}
              onDismiss={() => {
                dismiss(room.roomId, one.key);
                focusTalk();
              }}
            />
          ))}
        </div>
      </section>
      {missed && (
        <button type="button" class="to-bottom" onClick={toEnd} data-testid="to-bottom">
          <Icon name="down" /> New messages
        </button>
      )}
    </div>
  );
}

function topText(room: RoomState, reading: boolean): string {
  // Above, the page says why it is not open yet.
  if (room.phase === 'opening' && room.error) return '';
  if (reading || (room.phase !== 'open' && room.messages.length === 0)) return 'Reading the history…';
  if (room.messages.length === 0) return 'Nobody has said anything yet.';
  return room.fromStart || sequenceOf(room.messages[0]!) <= 1 ? 'This is as far back as it goes.' : '';
}

/** Arrow keys go from message to message once one is among them; Enter shows what can be done about one. */
function moveBetweenMessages(event: KeyboardEvent): void {
  const focused = document.activeElement as HTMLElement;
  if (event.key === 'Enter' && focused.classList.contains('row')) {
    event.preventDefault();
    focused.querySelector<HTMLElement>('.row-menu')?.click();
  }
  if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return;
  const list = event.currentTarget as HTMLElement;
  const rows = [...list.querySelectorAll<HTMLElement>('.row')];
  const at = rows.indexOf(focused.closest<HTMLElement>('.row')!);
  if (at < 0 && focused !== list) return;
  event.preventDefault();
  const to = at < 0 ? rows.length - 1 : at + (event.key === 'ArrowUp' ? -1 : 1);
  const next = rows[to];
  if (next) next.focus();
  else if (to >= rows.length) document.querySelector<HTMLElement>('.composer textarea')?.focus();
}
