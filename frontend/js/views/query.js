// What the Data view asks of the table, as its URL says it: q, sort, size, after, page, and f.column for a filter.

export const SIZES = [25, 50, 100, 250];
/** Columns of these names cannot be filtered by. */
export const RESERVED = ['limit', 'after', 'sort', 'order', 'q', 'format'];

/** The part of the query that the page, its export and the next page have in common. */
export function query(params, { limit = sizeOf(params), after = params.after } = {}) {
  const isDown = params.sort?.startsWith('-');
  const filters = filtersOf(params).filter(([column]) => !RESERVED.includes(column));
  return new URLSearchParams([
    ...(limit ? [['limit', limit]] : []),
    ...(after ? [['after', after]] : []),
    ...(params.sort
      ? [
          ['sort', params.sort.replace(/^-/, '')],
          ['order', isDown ? 'desc' : 'asc'],
        ]
      : []),
    ...(params.q ? [['q', params.q]] : []),
    ...filters,
  ]);
}

/** Rows a page. */
export function sizeOf({ size }) {
  return SIZES.includes(Number(size)) ? Number(size) : SIZES[1];
}

/** Filters as pairs of a column and the value it must have. */
export function filtersOf(params) {
  return Object.entries(params)
    .filter(([name, value]) => name.startsWith('f.') && value !== '')
    .map(([name, value]) => [name.slice(2), value]);
}
