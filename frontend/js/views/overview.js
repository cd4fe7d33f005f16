// Is it fresh, is it right; and the last runs at a glance.

import { bars, niceSeconds } from '../chart.js';
import { inWords, seconds } from '../counts.js';
import { h } from '../dom.js';
import { empty, icon, loaded, outcome, section, skeleton, trouble, when } from '../parts.js';
import { link } from '../router.js';

const SHOWN_RUNS = 30;

export const title = ({ t }) => t('nav.overview');
export const needs = () => ({ runs: `etl/runs?limit=${SHOWN_RUNS}` });

export function show(page) {
  const { t, live } = page;
  const heading = h.h1({ class: 'unseen' }, t('nav.overview'));
  if (live.run === null) return [heading, nothingYet(page)];
  return [
    heading,
    live.run ? lastRun(page, live.run) : h.section({ class: 'card' }, skeleton(page, 3)),
    loaded(page, page.stats, (stats) => figures(page, stats), 2),
    section(
      t('overview.lastRuns'),
      loaded(page, page.resources.runs, (runs) => history(page, runs), 5),
    ),
    page.stats.value?.columns.length > 0 &&
      section(t('overview.table', { table: page.table }), columns(page, page.stats.value)),
  ];
}

function nothingYet(page) {
  const { t, act } = page;
  return empty(
    t('overview.nothing'),
    t('overview.nothingText', { source: page.pipeline?.spec.extract.url ?? '…', table: page.table ?? '…' }),
    h.button({ type: 'button', onclick: () => act.run() }, t('run.now')),
    h.a({ class: 'button', href: link('preview') }, t('overview.lookFirst')),
  );
}

function lastRun(page, run) {
  const { t, f, now } = page;
  const isOn = run.status === 'running';
  return h.section(
    { class: `card last is-${run.status}`, 'aria-label': t('overview.lastRun') },
    h.p(
      { class: 'last-head' },
      outcome(page, run.status),
      h.span({ class: 'muted' }, when(page, run.ended_at ?? run.started_at)),
    ),
    isOn || run.status === 'succeeded'
      ? h.p(
          { class: 'last-words' },
          isOn ? t('overview.sofar', { words: inWords(t, run.counts) }) : inWords(t, run.counts),
        )
      : trouble(page, run),
    h.p(
      { class: 'last-more muted' },
      t('overview.by', {
        trigger: t(`trigger.${run.trigger}`),
        took: f.duration(seconds(run, now)),
        pages: t('pages', { n: run.pages }),
        bytes: f.bytes(run.bytes),
      }),
      ' · ',
      h.a({ href: link('run', {}, run.id) }, t('run.details')),
      run.counts.rejected > 0 &&
        !isOn && [
          ' · ',
          h.a({ href: link('run', {}, run.id) }, t('overview.rejected', { n: run.counts.rejected }), icon('next')),
        ],
    ),
  );
}

function figures(page, stats) {
  const { t, f } = page;
  return h.dl(
    { class: 'figures' },
    figure(t('overview.rows'), h.a({ href: link('data') }, f.number(stats.rows))),
    figure(t('overview.fresh'), stats.freshness.checked_at ? when(page, stats.freshness.checked_at) : '–'),
    figure(t('overview.database'), stats.bytes === null ? '–' : f.bytes(stats.bytes)),
    figure(t('overview.next'), h.a({ href: link('pipeline') }, nextRun(page, stats))),
  );
}

function nextRun(page, stats) {
  if (stats.next_run_at) return when(page, stats.next_run_at);
  return page.t(page.pipeline?.spec.suspend ? 'overview.suspended' : 'overview.byHand');
}

function figure(name, value) {
  return h.div(h.dt(name), h.dd(value));
}

function history(page, runs) {
  const { t, f, now } = page;
  return [
    bars(page, {
      runs: [...runs].reverse(),
      label: t('chart.duration', { n: runs.length }),
      value: (run) => seconds(run, now),
      written: f.duration,
      round: niceSeconds,
      isSmall: true,
    }),
    h.p({ class: 'small' }, h.a({ href: link('runs') }, t('overview.allRuns'))),
  ];
}

function columns({ t, f, table }, stats) {
  return h.div(
    { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('overview.table', { table }) },
    h.table(
      h.thead(
        h.tr(
          h.th({ scope: 'col' }, t('column.name')),
          h.th({ scope: 'col' }, t('column.type')),
          h.th({ scope: 'col', class: 'number' }, t('column.empty')),
        ),
      ),
      h.tbody(
        stats.columns.map((column) =>
          h.tr(
            { key: column.name },
            h.th({ scope: 'row' }, h.code(column.name)),
            h.td({ class: 'muted' }, t(`type.${column.type}`)),
            h.td(
              { class: 'number' },
              column.nulls ? `${f.number(column.nulls)} (${f.percent(column.nulls / stats.rows)})` : '–',
            ),
          ),
        ),
      ),
    ),
  );
}
