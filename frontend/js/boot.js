// What comes before the first paint and the modules.

// A theme that the reader has chosen; without one, the system's.
try {
  const chosen = localStorage.getItem('theme');
  if (chosen) document.documentElement.dataset.theme = chosen;
} catch {
  // Storage is closed to this page: the system's theme it is.
}

// A part of the page that has not arrived, because the service or the network went away meanwhile: once more, soon.
addEventListener(
  'error',
  ({ target }) => {
    if (target instanceof HTMLScriptElement) setTimeout(() => location.reload(), 1500);
  },
  true,
);
