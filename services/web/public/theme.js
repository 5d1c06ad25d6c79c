// Before the first paint, so that a chosen theme does not flash: it has to be a plain script in the head.
try {
  const theme = localStorage.getItem('parley.theme');
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
} catch {
  // Storage can be forbidden; the system's theme it is.
}
