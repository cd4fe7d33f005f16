// The table: sorted, searched, filtered, a page at a time, and out as a file.

import { h } from '../dom.js';
import { empty, icon, loaded } from '../parts.js';
import { link } from '../router.js';
import { cell, isNumeric } from './cells.js';
import { exporter } from './export.js';
import { filtersOf, query, RESERVED, SIZES, sizeOf } from './query.js';

export const title = ({ t }) => t('nav.data');

export function needs({ params }, table) {
  return table ? { rows: `tables/${encodeURIComponent(table)}?${query(params)}` } : {};
}

export function show(page) {
  const { t, table, stats, resources, live } = page;
  const head = h.div({ class: 'toolbar' }, h.h1(t('data.title', { table: table ?? '…' })), tools(page));
  if (stats.value && !stats.value.columns.length) {
    return [
      h.h1(t('data.title', { table: table ?? '…' })),
      live.run === null || !stats.value.rows ? nothingLoaded(page) : null,
    ];
  }
  const rows = resources.rows;
  return [
    head,
    chips(page),
    rows && stats.value
      ? loaded(page, rows, (list) => content(page, stats.value.columns, rows, list), 10)
      : loaded(page, stats, () => [], 10),
  ];
}

function tools(page) {
  const { t, route, go } = page;
  const search = (event) => {
    event.preventDefault();
    go({ view: 'data', params: first(route.params, { q: event.currentTarget.elements.q.value.trim() }) });
  };
  return [
    h.form(
      { class: 'search', role: 'search', onsubmit: search },
      h.label({ class: 'unseen', for: 'search' }, t('data.search')),
      h.input({
        id: 'search',
        name: 'q',
        type: 'search',
        placeholder: t('data.search'),
        value: route.params.q ?? '',
        autocomplete: 'off',
        dir: 'auto',
      }),
      h.button(t('data.find')),
    ),
    h.button(
      {
        type: 'button',
        'aria-expanded': String(page.opened.has('filters')),
        'aria-controls': 'filters',
        onclick: () => page.act.unfold('filters', !page.opened.has('filters')),
      },
      icon('filter'),
      h.span(t('data.filters')),
    ),
    exporter(page),
  ];
}

/** Filters in force, each to be taken back. */
function chips({ t, route }) {
  const { params } = route;
  const active = filtersOf(params).map(([column, value]) => [`f.${column}`, `${column} = ${value}`]);
  if (params.q) active.unshift(['q', t('data.contains', { text: params.q })]);
  return (
    active.length > 0 &&
    h.ul(
      { class: 'chips', 'aria-label': t('data.inForce') },
      active.map(([name, text]) =>
        h.li(
          { key: name },
          h.a(
            {
              class: 'chip',
              href: link('data', first(params, { [name]: '' })),
              'aria-label': t('data.without', { filter: text }),
            },
            h.span({ dir: 'auto', class: 'wrap' }, text),
            icon('close'),
          ),
        ),
      ),
    )
  );
}

function content(page, columns, resource, list) {
  const { route, t } = page;
  if (!list.length) {
    return Object.keys(route.params).length
      ? empty(t('data.noMatch'), t('data.noMatchText'), h.a({ class: 'button', href: link('data') }, t('data.showAll')))
      : nothingLoaded(page);
  }
  return [
    h.form({ id: 'filter', onsubmit: (event) => filter(page, event) }),
    h.div(
      {
        key: resource.path,
        class: `scroll tall ${resource.isLoading ? 'is-loading' : ''}`,
        tabindex: '0',
        role: 'region',
        'aria-label': t('data.title', { table: page.table }),
      },
      h.table(
        { class: 'rows' },
        h.thead(
          h.tr(columns.map((column) => header(page, column))),
          h.tr(
            { id: 'filters', hidden: !page.opened.has('filters') },
            columns.map((column) => filterCell(page, column)),
          ),
        ),
        h.tbody(
          list.map((row, index) => {
            const key = `${resource.path}.${index}`;
            return h.tr(
              { key },
              columns.map(({ name, type }) =>
                h.td({ class: isNumeric(type) ? 'number' : type }, cell(page, `${key}.${name}`, type, row[name])),
              ),
            );
          }),
        ),
      ),
    ),
    pager(page, resource, list),
  ];
}

function header({ t, route }, { name, type }) {
  const { sort = '' } = route.params;
  const isSorted = sort.replace(/^-/, '') === name;
  const isDown = isSorted && sort.startsWith('-');
  const next = !isSorted ? name : isDown ? '' : `-${name}`;
  return h.th(
    {
      scope: 'col',
      class: isNumeric(type) ? 'number' : null,
      'aria-sort': isSorted ? (isDown ? 'descending' : 'ascending') : null,
    },
    h.a(
      {
        class: 'sort',
        href: link('data', first(route.params, { sort: next })),
        title: t('data.sort', { column: name }),
      },
      h.span(name),
      isSorted && icon(isDown ? 'down' : 'up'),
    ),
    h.span({ class: 'type' }, t(`type.${type}`)),
  );
}

function filterCell({ t, route }, { name, type }) {
  if (RESERVED.includes(name)) return h.td();
  const label = t('data.filterBy', { column: name });
  const value = route.params[`f.${name}`] ?? '';
  const submit = (event) => event.target.form.requestSubmit();
  return h.td(
    type === 'boolean'
      ? h.select(
          { name, form: 'filter', 'aria-label': label, value, onchange: submit },
          ['', 'true', 'false'].map((option) => h.option({ value: option }, option)),
        )
      : h.input({
          name,
          form: 'filter',
          'aria-label': label,
          value,
          placeholder: t(`example.${type}`),
          autocomplete: 'off',
          dir: 'auto',
          onchange: submit,
        }),
  );
}

function filter({ route, go }, event) {
  event.preventDefault();
  const filters = Object.fromEntries(
    [...new FormData(event.currentTarget)].map(([name, value]) => [`f.${name}`, value]),
  );
  go({ view: 'data', params: first(route.params, filters) });
}

function pager(page, resource, list) {
  const { t, f, route, trail } = page;
  const { params } = route;
  const number = Number.parseInt(params.page ?? 1, 10) || 1;
  const size = sizeOf(params);
  const from = (number - 1) * size + 1;
  const whole = query(params, { after: null });
  trail.note(whole, params.after, resource.next);
  const isAll = !params.q && !filtersOf(params).length; // how many match a filter is not counted: it would cost a scan
  const back = trail.before(whole, params.after);
  return h.nav(
    { class: 'pager', 'aria-label': t('data.pages') },
    step(t('data.first'), 'first', number > 1 && { ...params, after: '', page: '' }),
    step(
      t('data.previous'),
      'previous',
      number > 1 && back !== null && { ...params, after: back, page: number > 2 ? number - 1 : '' },
    ),
    h.span(
      { class: 'pager-place' },
      t(isAll ? 'data.placeOf' : 'data.place', {
        from: f.number(from),
        to: f.number(from + list.length - 1),
        all: f.number(page.stats.value.rows),
      }),
    ),
    step(t('data.next'), 'next', resource.next && { ...params, after: resource.next, page: number + 1 }),
    h.label(
      { class: 'field' },
      h.span(t('data.size')),
      h.select(
        {
          value: String(size),
          onchange: (event) => page.go({ view: 'data', params: first(params, { size: event.target.value }) }),
        },
        SIZES.map((each) => h.option({ value: String(each) }, f.number(each))),
      ),
    ),
  );
}

function step(text, name, params) {
  return params
    ? h.a({ class: `button step ${name}`, href: link('data', params) }, text)
    : // It stays focusable, so that who has come to the last page by keyboard is not thrown out.
      h.a({ class: `button step ${name}`, role: 'link', 'aria-disabled': 'true', tabindex: '-1' }, text);
}

/** The same query with something changed: what it finds is looked at from its first page. */
function first(params, changes) {
  return { ...params, after: '', page: '', ...changes };
}

function nothingLoaded({ t, act }) {
  return empty(
    t('data.nothing'),
    t('data.nothingText'),
    h.button({ type: 'button', onclick: () => act.run() }, t('run.now')),
    h.a({ class: 'button', href: link('preview') }, t('overview.lookFirst')),
  );
}
