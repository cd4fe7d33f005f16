// What the browser keeps for this page; in memory, where it keeps nothing.

/** `localStorage` or `sessionStorage`, or what is as good until the page is closed. */
export function open(name) {
  try {
    const storage = globalThis[name];
    storage.getItem('');
    return storage;
  } catch {
    const kept = new Map();
    return { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) };
  }
}
