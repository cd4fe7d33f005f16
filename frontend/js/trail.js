// The pages that were come from. A token leads to the page that follows, never back: so the way is kept, for the tab.

const LONGEST = 1000;

export function createTrail(storage) {
  const steps = new Map(JSON.parse(storage.getItem('trail') ?? '[]'));
  const keyOf = (query, token) => `${query} ${token}`;

  return {
    /** In the order of `query`, the page after `next` follows that of `after`. */
    note(query, after, next) {
      if (!next || steps.has(keyOf(query, next))) return;
      steps.set(keyOf(query, next), after ?? '');
      if (steps.size > LONGEST) steps.delete(steps.keys().next().value);
      storage.setItem('trail', JSON.stringify([...steps]));
    },

    /** The token of the page before that of `after`: empty for the first page, null where it is not known. */
    before: (query, after) => steps.get(keyOf(query, after)) ?? null,
  };
}
