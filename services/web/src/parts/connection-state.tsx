import type { LinkState } from '@parley/client';
import { useEffect, useRef, useState } from 'preact/hooks';
import { wake } from '../state/chat.ts';
import { useApp } from '../state/store.ts';

/** Whether one is connected, and when the next try is: always visible, loud only when something is wrong. */
export function ConnectionState() {
  const { link } = useApp();
  const text = useStateText(link);
  return (
    <div class="connection" data-status={link.status} data-testid="connection-state" title={reasonIn(link)}>
      <span class="dot" aria-hidden="true" />
      <span>{text}</span>
      {link.status === 'waiting' && (
        <button type="button" class="link" onClick={wake} data-testid="retry-now">
          Try now
        </button>
      )}
    </div>
  );
}

/** The same where one reads and writes, but only when it is news. */
export function Outage() {
  const { link } = useApp();
  const text = useStateText(link);
  if (!isOutage(link)) return null;
  return (
    <p class="outage" data-testid="outage">
      <span>{text}. What you write is sent once you are back.</span>
      <button type="button" class="link" onClick={wake}>
        Try now
      </button>
    </p>
  );
}

/** The same for who listens: once that the connection is gone, once that it is back, and no seconds. */
export function ConnectionNews() {
  const { link } = useApp();
  const news = useRef('');
  if (isOutage(link)) news.current = 'Offline. What you write is sent once you are back.';
  else if (link.status === 'online' && news.current) news.current = 'Connected';
  return (
    <p class="hidden" role="status">
      {news.current}
    </p>
  );
}

function isOutage(link: LinkState): boolean {
  return link.status !== 'online' && !(link.status === 'connecting' && link.attempt === 0);
}

function useStateText(link: LinkState): string {
  const seconds = useSecondsUntil(link.status === 'waiting' ? link.until : 0);
  return {
    online: 'Connected',
    connecting: 'Connecting',
    waiting: seconds > 0 ? `Offline · trying again in ${seconds} s` : 'Offline · trying again',
    stopped: 'Not connected',
    'signed-out': 'Signed out',
  }[link.status];
}

function reasonIn(link: LinkState): string | undefined {
  return link.status === 'waiting' ? link.reason : undefined;
}

function useSecondsUntil(until: number): number {
  const [, draw] = useState({});
  useEffect(() => {
    if (!until) return;
    const timer = setInterval(() => draw({}), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - Date.now()) / 1000));
}
