import { useEffect, useState } from 'preact/hooks';
import { wake } from '../state/chat.ts';
import { useApp } from '../state/store.ts';

/** Whether one is connected, and when the next try is: always visible, loud only when something is wrong. */
export function ConnectionState() {
  const { link } = useApp();
  const seconds = useSecondsUntil(link.status === 'waiting' ? link.until : 0);
  const text = {
    online: 'Connected',
    connecting: 'Connecting…',
    waiting: seconds > 0 ? `Offline · trying again in ${seconds} s` : 'Offline · trying again…',
    stopped: 'Not connected',
    'signed-out': 'Signed out',
  }[link.status];
  return (
    <div class="connection" data-status={link.status} data-testid="connection-state" title={reasonIn(link)}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{text}</span>
      {link.status === 'waiting' && (
        <button type="button" class="link" onClick={wake} data-testid="retry-now">
          Try now
        </button>
      )}
    </div>
  );
}

function reasonIn(link: ReturnType<typeof useApp>['link']): string | undefined {
  return link.status === 'waiting' ? link.reason : undefined;
}

function useSecondsUntil(until: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    if (!until) return;
    setNow(Date.now());
    const timer = setInterval(() => setNow(Date.now()), 500);
    return () => clearInterval(timer);
  }, [until]);
  return Math.max(0, Math.ceil((until - now) / 1000));
}
