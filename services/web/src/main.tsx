import './styles/tokens.css';
import './styles/base.css';
import './styles/sign-in.css';
import './styles/shell.css';
import './styles/room.css';
import './styles/orders.css';
import { render } from 'preact';
import { App } from './app.tsx';
import { begin, end, enter, wake } from './state/chat.ts';
import { problemText } from './state/problem-text.ts';
import { parseRoute } from './state/routes.ts';
import { resumeVisit, watchOtherTabs } from './state/sign-in.ts';
import { appState, change } from './state/store.ts';
import { keepUnsent } from './state/unsent.ts';

addEventListener('hashchange', () => {
  const route = parseRoute(location.hash);
  change({ route, dialog: undefined });
  if (route.page === 'room') enter(route.roomId);
});
addEventListener('online', wake);
addEventListener('pagehide', keepUnsent);
watchOtherTabs(end);
document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && wake());
addEventListener('keydown', (event) => {
  if (event.key.toLowerCase() !== 'k' || !(event.ctrlKey || event.metaKey) || appState().phase !== 'in') return;
  event.preventDefault();
  change({ dialog: appState().dialog === 'switcher' ? undefined : 'switcher' });
});

render(<App />, document.getElementById('app')!);

resumeVisit().then(
  (me) => (me ? begin(me) : change({ phase: 'signed-out' })),
  (error) => change({ phase: 'signed-out', notice: problemText(error) }),
);
