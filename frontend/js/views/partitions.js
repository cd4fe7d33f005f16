// The partitions of a run that is divided among workers: how far each is.

import { done } from '../counts.js';
import { h } from '../dom.js';
import { outcome, section } from '../parts.js';

const SHOWN = 24; // of more, those come first that somebody is at work on, or that did not go well
const QUIET = ['succeeded', 'pending'];

export function partitions(page, { partitions: all }) {
  const { t, f } = page;
  const first = all.length > SHOWN ? all.filter(({ status }) => !QUIET.includes(status)) : all;
  const rest = all.filter((part) => !first.includes(part));
  return section(
    t('partitions.title'),
    h.p(t('partitions.done', { n: all.length, done: f.number(done(all)) })),
    first.length > 0 && table(page, first),
    rest.length > 0 && h.details(h.summary(t('partitions.rest', { n: rest.length })), table(page, rest)),
  );
}

function table(page, parts) {
  const { t } = page;
  const number = (key) => h.th({ scope: 'col', class: 'number' }, t(key));
  return h.div(
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('partitions.title') },
    h.table(
      h.caption({ class: 'unseen' }, t('partitions.title')),
      h.thead(
        h.tr(
          number('partitions.index'),
          ['partitions.name', 'runs.outcome'].map((key) => h.th({ scope: 'col' }, t(key))),
          ['runs.fetched', 'run.pages', 'run.attempt'].map(number),
        ),
      ),
      h.tbody(parts.map((part) => rows(page, part))),
    ),
  );
}

function rows(page, part) {
  const number = (value) => h.td({ class: 'number' }, page.f.number(value));
  return [
    h.tr(
      { key: part.index },
      number(part.index),
      h.th({ scope: 'row' }, h.span({ class: 'wrap' }, part.name)),
      h.td(outcome(page, part.status)),
      [part.fetched, part.pages, part.attempt].map(number),
    ),
    part.reason &&
      h.tr(
        { key: `${part.index} why` },
        h.td({ class: 'small wrap', colspan: '6', lang: 'en' }, h.code(part.reason), ' ', part.message),
      ),
  ];
}
