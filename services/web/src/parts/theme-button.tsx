import { useState } from 'preact/hooks';
import { kept } from '../state/storage.ts';
import { Icon } from './icon.tsx';

const chosen = kept('parley.theme');

/** Light or dark, whatever the system says; public/theme.js applies it before the next first paint. */
export function ThemeButton() {
  const [dark, setDark] = useState(isDark);
  const toggle = () => {
    const theme = dark ? 'light' : 'dark';
    chosen.write(theme);
    document.documentElement.dataset.theme = theme;
    setDark(!dark);
  };
  const label = dark ? 'Light theme' : 'Dark theme';
  return (
    <button type="button" class="round" onClick={toggle} aria-label={label} title={label} data-testid="theme">
      <Icon name={dark ? 'sun' : 'moon'} />
    </button>
  );
}

function isDark(): boolean {
  const { theme } = document.documentElement.dataset;
  return theme ? theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
}
