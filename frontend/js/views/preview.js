// What a run would do: records as they come and rows as they would be loaded, field by field.

import { inWords } from '../counts.js';
import { h } from '../dom.js';
import { compact, pretty } from '../json.js';
import { empty, icon, loaded, section } from '../parts.js';
import { align } from './alignment.js';
import { folded } from './cells.js';

const LONG = 400; // characters of a text that is shown as a whole
const SIZES = [3, 10, 25, 100];

export const title = ({ t }) => t('nav.preview');
export const needs = ({ params }) => ({ preview: `etl/preview?n=${sizeOf(params)}${params.full ? '&full=true' : ''}` });

export function show(page) {
  const { t, resources } = page;
  return [
    h.div({ class: 'toolbar' }, h.h1(t('nav.preview')), tools(page)),
    h.p(
      { class: 'muted' },
      t(resources.preview.isLoading ? 'preview.reading' : 'preview.what', {
        source: page.pipeline?.spec.extract.url ?? '…',
      }),
    ),
    loaded(
      page,
      resources.preview,
      (preview) => (preview.before.length ? content(page, preview) : empty(t('preview.none'), t('preview.noneText'))),
      8,
    ),
  ];
}

function sizeOf({ n }) {
  return SIZES.includes(Number(n)) ? Number(n) : SIZES[0];
}

function tools({ t, f, route, go, act, resources }) {
  const { params } = route;
  const change = (changes) => go({ view: 'preview', params: { ...params, ...changes } });
  return [
    h.label(
      { class: 'field' },
      h.span(t('preview.records')),
      h.select(
        { value: String(sizeOf(params)), onchange: (event) => change({ n: event.target.value }) },
        SIZES.map((size) => h.option({ value: String(size) }, f.number(size))),
      ),
    ),
    h.label(
      { class: 'field' },
      h.input({
        type: 'checkbox',
        checked: Boolean(params.full),
        onchange: (event) => change({ full: event.target.checked ? '1' : '' }),
      }),
      h.span(t('preview.full')),
    ),
    h.button(
      {
        type: 'button',
        'aria-disabled': resources.preview.isLoading ? 'true' : null,
        onclick: () => act.again(resources.preview),
      },
      t('preview.again'),
    ),
  ];
}

function content(page, preview) {
  const { t, f, route } = page;
  const rejects = [...preview.rejected];
  const shownRejects = new Set();
  const records = preview.before.map((before, index) => {
    const after = preview.after[index];
    const place = after
      ? -1
      : rejects.findIndex((reject) => !shownRejects.has(reject) && compact(reject.record) === compact(before));
    if (place >= 0) shownRejects.add(rejects[place]);
    return one(page, `${route.params.n}.${index}`, index, before, after, rejects[place] ?? null);
  });
  const others = rejects.filter((reject) => !shownRejects.has(reject));
  return [
    h.section(
      { class: 'card would', 'aria-label': t('preview.would') },
      h.p({ class: 'label' }, t(route.params.full ? 'preview.wouldAll' : 'preview.would')),
      h.p({ class: 'last-words' }, inWords(t, preview.would)),
      preview.schema_changes.length > 0 &&
        h.ul(
          { class: 'changes' },
          preview.schema_changes.map((change) => h.li({ lang: 'en' }, change)),
        ),
    ),
    h.p(
      { class: 'legend muted small' },
      ['converted', 'added', 'ignored', 'rejected'].map((kind) =>
        h.span({ class: `mark-${kind}` }, t(`change.${kind}`)),
      ),
    ),
    records,
    others.length > 0 &&
      section(
        t('preview.others', { n: others.length }),
        h.ol(
          { class: 'rejects' },
          others.map((reject) =>
            h.li(
              { class: 'reject' },
              h.p(
                { class: 'reject-what' },
                icon('failed'),
                h.strong(reject.field ?? t('run.record')),
                h.span({ lang: 'en', class: 'wrap' }, reject.message),
              ),
              h.p({ class: 'muted small' }, t('run.place', { page: reject.page, index: reject.index })),
              h.pre({ tabindex: '0', dir: 'auto' }, compact(reject.record)),
            ),
          ),
        ),
      ),
  ];
}

function one(page, key, index, before, after, reject) {
  const { t, pipeline } = page;
  const fields = align(before, after, pipeline?.spec.transform?.columns ?? null, reject?.field);
  return h.article(
    { class: `record ${after ? '' : 'is-rejected'}`, 'aria-label': t('preview.record', { n: index + 1 }) },
    h.h2(t('preview.record', { n: index + 1 })),
    !after &&
      h.p(
        { class: 'reject-what' },
        icon(reject ? 'failed' : 'cancelled'),
        h.strong(t(reject ? 'preview.rejected' : 'preview.skipped')),
        reject &&
          h.span({ lang: 'en', class: 'wrap' }, reject.field ? `${reject.field}: ${reject.message}` : reject.message),
      ),
    h.div(
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('preview.record', { n: index + 1 }) },
      h.table(
        { class: 'fields' },
        h.thead(
          h.tr(['field', 'before', 'column', 'after'].map((name) => h.th({ scope: 'col' }, t(`preview.${name}`)))),
        ),
        h.tbody(fields.map((field) => line(page, `${key}.${field.path}.${field.column}`, field))),
      ),
    ),
  );
}

function line(page, key, { path, column, kind, before, after }) {
  const { t } = page;
  return h.tr(
    { class: `is-${kind}` },
    path ? h.th({ scope: 'row' }, h.code(path)) : h.td(),
    h.td(before !== undefined && value(page, `${key}.before`, before, kind)),
    h.td(column && h.code(column), kind !== 'same' && h.span({ class: `tag mark-${kind}` }, t(`change.${kind}`))),
    h.td(after !== undefined && value(page, `${key}.after`, after, kind)),
  );
}

/** A value as JSON has it, for its type is what changes; spaces that a cleaning takes away can be seen. */
function value(page, key, given, kind) {
  const { t } = page;
  if (given === null) return h.span({ class: 'null' }, t('null'));
  if (typeof given !== 'string') return folded(page, key, compact(given), () => pretty(given), 'code');
  if (given.length > LONG) return folded(page, key, given, () => given, 'text');
  const [, start, middle, end] = /^(\s*)(.*?)(\s*)$/s.exec(given);
  const isMarked = kind === 'converted' || kind === 'rejected';
  return h.span(
    { class: 'value text', dir: 'auto' },
    '“',
    spaces(start, isMarked),
    runs(middle, isMarked),
    spaces(end, isMarked),
    '”',
  );
}

/** Spaces that come two or more at a time. */
function runs(text, isMarked) {
  return text.split(/(\s{2,})/).map((part, index) => (index % 2 ? spaces(part, isMarked) : part));
}

function spaces(text, isMarked) {
  return (
    text &&
    (isMarked ? h.mark({ class: 'spaces' }, text.replace(/ /g, '·').replace(/\n/g, '↵').replace(/\t/g, '⇥')) : text)
  );
}
