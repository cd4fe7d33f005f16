// Where the reader is, as the URL says it: #/data?sort=id&q=word. Behind the # it works on every host, whatever the
// paths of its API are called.

export const VIEWS = ['overview', 'data', 'preview', 'runs', 'pipeline'];

/** The route of a hash; what is no route is the overview. */
export function parse(hash) {
  const [path, query = ''] = hash.replace(/^#\/?/, '').split(/\?(.*)/s);
  const [view, id] = path.split('/').map(decoded);
  const params = Object.fromEntries(new URLSearchParams(query));
  if (view === 'runs' && id) return { view: 'run', id, params };
  return { view: VIEWS.includes(view) ? view : 'overview', id: null, params };
}

/** The hash of a route. Parameters that are empty are left out, and the others sorted: one state has one URL. */
export function write({ view, id, params = {} }) {
  const path = view === 'run' ? `runs/${encodeURIComponent(id)}` : view === 'overview' ? '' : view;
  const given = Object.entries(params).filter(([, value]) => value !== '' && value !== null && value !== undefined);
  const query = new URLSearchParams(given.map(([name, value]) => [name, String(value)]).sort());
  return `#/${path}${given.length ? `?${query}` : ''}`;
}

/** The link to a view, or to a run where there is an id. */
export function link(view, params = {}, id = null) {
  return write({ view, id, params });
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
