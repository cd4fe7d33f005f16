// The table as a file: what is shown, or all that matches.

import { h } from '../dom.js';
import { icon } from '../parts.js';
import { query } from './query.js';

const FORMATS = ['csv', 'json', 'ndjson'];

/** A menu of links. With a token, what they lead to is fetched, for a link cannot send it. */
export function exporter(page) {
  const { t, route, table } = page;
  if (!table) return null;
  const { params } = route;
  return h.details(
    { class: 'menu', onkeydown: escape, onfocusout: leave },
    h.summary({ class: 'button' }, icon('export'), h.span(t('export'))),
    h.div(
      { class: 'menu-content' },
      group(page, t('export.shown'), query(params), 'page'),
      group(page, t('export.all'), query(params, { limit: null, after: null }), 'all'),
    ),
  );
}

function group(page, label, search, name) {
  const { t, table, api, act } = page;
  return h.div(
    { role: 'group', 'aria-label': label, class: 'menu-group' },
    h.span({ class: 'label', 'aria-hidden': 'true' }, label),
    FORMATS.map((format) => {
      // The service gives at most a thousand rows as one array: a longer one is put together from lines.
      const isJoined = format === 'json' && name === 'all';
      const asked = new URLSearchParams([...search, ['format', isJoined ? 'ndjson' : format]]);
      const path = `tables/${encodeURIComponent(table)}?${asked}`;
      const file = `${table}.${format}`;
      return h.a(
        {
          href: api.address(path),
          download: file,
          'aria-label': `${label}: ${t(`export.${format}`)}`,
          'data-export': `${name}-${format}`,
          onclick: (event) => (isJoined || api.hasToken()) && act.download(event, path, file, isJoined),
        },
        t(`export.${format}`),
      );
    }),
  );
}

function escape(event) {
  if (event.key !== 'Escape' || !event.currentTarget.open) return;
  event.currentTarget.open = false;
  event.currentTarget.querySelector('summary').focus();
}

/** A menu that focus has left is done with. */
function leave(event) {
  if (event.relatedTarget && !event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false;
}
