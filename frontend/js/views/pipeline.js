// The document: what each part of it means, and all of it as it is read.

import { scheduleInWords } from '../cron.js';
import { h } from '../dom.js';
import { copyButton, facts, loaded, section, when } from '../parts.js';
import { yaml } from '../yaml.js';

const COLUMN_PARTS = ['name', 'from', 'type', 'required', 'clean'];
const DEFAULT_MODE = 'upsert';
const SHOWN_APART = ['columns', 'url', 'table', 'key', 'mode'];

export const title = ({ t }) => t('nav.pipeline');
export const needs = () => ({});

export function show(page) {
  const { t } = page;
  return [h.h1(t('nav.pipeline')), loaded(page, page.document, (document) => parts(page, document), 10)];
}

function parts(page, document) {
  const { t } = page;
  const { extract, transform, load, run } = document.spec;
  const { status: _, ...asked } = document;
  const text = yaml(asked);
  return [
    h.div(
      { class: 'steps' },
      part(page, 'extract', h.p({ class: 'wrap' }, extract.url), extract),
      part(
        page,
        'transform',
        transform?.columns ? mapping(page, transform.columns) : h.p(t('pipeline.inferred')),
        transform ?? {},
      ),
      part(
        page,
        'load',
        h.p(t(`mode.${load.mode ?? DEFAULT_MODE}`, { table: load.table, key: (load.key ?? []).join(', ') || '–' })),
        load,
      ),
      schedule(page, document.spec),
      run && part(page, 'run', null, run),
    ),
    section(
      t('pipeline.document'),
      h.p(
        { class: 'actions' },
        h.span({ class: 'muted' }, t('pipeline.documentText')),
        copyButton(page, text, t('pipeline.copy')),
      ),
      h.pre({ class: 'document', tabindex: '0', 'aria-label': t('pipeline.document') }, text),
    ),
  ];
}

function part({ t }, name, lead, settings) {
  const rest = Object.entries(settings).filter(([key, value]) => !SHOWN_APART.includes(key) && !isEmpty(value));
  return titled(
    t,
    name,
    lead,
    rest.length > 0 &&
      facts(
        rest.map(([key, value]) => [
          h.span(
            { title: t.has(`field.${key}`) ? t(`field.${key}`) : null },
            t.has(`field.${key}`) ? t(`field.${key}`) : key,
          ),
          h.code({ class: 'wrap' }, typeof value === 'string' ? value : yaml(value)),
        ]),
      ),
  );
}

/** What a part is called and means, beside what it says. */
function titled(t, name, ...content) {
  return h.section(
    { class: 'part' },
    h.div(h.h2(t(`pipeline.${name}`)), h.p({ class: 'muted small' }, t(`pipeline.${name}Text`))),
    h.div({ class: 'part-content' }, content),
  );
}

function mapping({ t }, columns) {
  return h.div(
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('pipeline.mapping') },
    h.table(
      h.thead(h.tr(COLUMN_PARTS.map((name) => h.th({ scope: 'col' }, t(`column.${name}`))))),
      h.tbody(
        columns.map((column) =>
          h.tr(
            { key: column.name },
            h.th({ scope: 'row' }, h.code(column.name)),
            h.td(h.code(column.from ?? `/${column.name}`)),
            h.td(t(`type.${column.type}`)),
            h.td(column.required ? t('yes') : ''),
            h.td((column.clean ?? []).map((step) => (t.has(`clean.${step}`) ? t(`clean.${step}`) : step)).join(', ')),
          ),
        ),
      ),
    ),
  );
}

function schedule(page, { schedule: given, suspend }) {
  const { t, f, language, stats } = page;
  const next = stats.value?.next_run_at;
  return titled(
    t,
    'schedule',
    h.p(
      given
        ? t('pipeline.when', { words: scheduleInWords(t, f, language, given.cron), zone: given.timeZone ?? 'UTC' })
        : t('pipeline.byHand'),
    ),
    suspend && h.p({ class: 'notice' }, t('pipeline.suspended')),
    given &&
      facts([
        [t('pipeline.cron'), h.code(given.cron)],
        [t('overview.next'), next && when(page, next)],
      ]),
  );
}

function isEmpty(value) {
  return value === null || value === '' || value === false || (typeof value === 'object' && !Object.keys(value).length);
}
