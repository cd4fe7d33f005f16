// The partitions of a run that is divided among workers: how far each is.

import { done } from '../counts.js';
import { h } from '../dom.js';
import { outcome, section } from '../parts.js';

const SHOWN = 24; // of more, those come first that somebody is at work on, or that did not go well

export function partitions(page, run) {
  const { t, f } = page;
  const all = run.partitions;
  const complete = done(all);
  const isFew = all.length <= SHOWN;
  const first = isFew ? all : all.filter(({ status }) => !['succeeded', 'pending'].includes(status));
  const rest = isFew ? [] : all.filter((part) => !first.includes(part));
  return section(
    t('partitions.title'),
    h.p(t('partitions.done', { n: all.length, done: f.number(complete) })),
    h.svg(
      { class: 'partitions-bar', 'aria-hidden': 'true' },
      h.rect({ width: `${(complete / all.length) * 100}%`, height: '100%', rx: '2' }),
    ),
    first.length > 0 && table(page, first),
    rest.length > 0 &&
      h.details(h.summary(t(first.length ? 'partitions.rest' : 'partitions.all', { n: rest.length })), table(page, rest)),
  );
}

function table(page, parts) {
  const { t } = page;
  return h.div(
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('partitions.title') },
    h.table(
      h.caption({ class: 'unseen' }, t('partitions.table')),
      h.thead(
        h.tr(
          h.th({ scope: 'col', class: 'number' }, t('partitions.index')),
          h.th({ scope: 'col' }, t('partitions.name')),
          h.th({ scope: 'col' }, t('partitions.state')),
          ['fetched', 'pages', 'attempt'].map((name) =>
            h.th({ scope: 'col', class: 'number' }, t(`partitions.${name}`)),
          ),
        ),
      ),
      h.tbody(parts.map((part) => rows(page, part))),
    ),
  );
}

function rows(page, part) {
  const { f } = page;
  const isBad = !['succeeded', 'running', 'pending'].includes(part.status);
  return [
    h.tr(
      { key: part.index },
      h.td({ class: 'number' }, f.number(part.index)),
      h.th({ scope: 'row' }, h.span({ class: 'wrap' }, part.name)),
      h.td(outcome(page, part.status)),
      [part.fetched, part.pages, part.attempt].map((number) =>
        h.td({ class: `number${number ? '' : ' is-zero'}` }, f.number(number)),
      ),
    ),
    isBad &&
      part.reason &&
      h.tr(
        { key: `${part.index} why` },
        h.td({ class: 'small wrap', colspan: '6', lang: 'en' }, h.code(part.reason), ' ', part.message),
      ),
  ];
}
