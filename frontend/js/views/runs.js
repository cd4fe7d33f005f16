// The history: every run, how it ended, and how long runs take.

import { bars, niceSeconds } from '../chart.js';
import { seconds } from '../counts.js';
import { h } from '../dom.js';
import { empty, loaded, outcome, runLink, when } from '../parts.js';
import { link } from '../router.js';

const STATUSES = ['succeeded', 'failed', 'interrupted', 'cancelled'];
const AT_FIRST = 25;
const MORE = 50;
const MOST = 1000; // what the service gives at once
const CHARTED = 60;
const COUNTS = ['fetched', 'inserted', 'updated', 'unchanged', 'rejected'];

export const title = ({ t }) => t('nav.runs');
export const needs = ({ params }) => ({ runs: `etl/runs?${query(params)}` });

export function show(page) {
  const { t, route } = page;
  return [
    h.div({ class: 'toolbar' }, h.h1(t('nav.runs')), statuses(page)),
    loaded(page, page.resources.runs, (runs) => (runs.length ? history(page, runs) : nothing(page)), 8),
    route.params.before && h.p(h.a({ href: link('runs', { status: route.params.status }) }, t('runs.newest'))),
  ];
}

function query({ status = '', before = '', limit }) {
  return new URLSearchParams({
    limit: limitOf(limit),
    ...(STATUSES.includes(status) && { status }),
    ...(before && { before }),
  });
}

function limitOf(limit) {
  return Math.min(Math.max(Number.parseInt(limit ?? AT_FIRST, 10) || AT_FIRST, 1), MOST);
}

function statuses(page) {
  const { t, route, go } = page;
  return h.label(
    { class: 'field' },
    h.span(t('runs.show')),
    h.select(
      {
        value: route.params.status ?? '',
        onchange: (event) => go({ view: 'runs', params: { status: event.target.value } }),
      },
      h.option({ value: '' }, t('runs.all')),
      STATUSES.map((status) => h.option({ value: status }, t(`status.${status}`))),
    ),
  );
}

function nothing({ t, route }) {
  return route.params.status || route.params.before
    ? empty(t('runs.noneSuch'), null, h.a({ class: 'button', href: link('runs') }, t('runs.showAll')))
    : empty(
        t('runs.none'),
        t('runs.noneText'),
        h.a({ class: 'button', href: link('preview') }, t('overview.lookFirst')),
      );
}

function history(page, runs) {
  const { t, f, now, route } = page;
  const charted = runs.slice(0, CHARTED).reverse();
  const limit = limitOf(route.params.limit);
  const more =
    limit < MOST
      ? { ...route.params, limit: Math.min(limit + MORE, MOST) }
      : { ...route.params, before: runs.at(-1).id };
  return [
    h.div(
      { class: 'charts' },
      bars(page, {
        runs: charted,
        label: t('chart.duration', { n: charted.length }),
        value: (run) => seconds(run, now),
        written: f.duration,
        round: niceSeconds,
      }),
      bars(page, {
        runs: charted,
        label: t('chart.fetched', { n: charted.length }),
        value: (run) => run.counts.fetched,
        written: f.number,
      }),
    ),
    h.div(
      { class: 'scroll', tabindex: '0', role: 'region', 'aria-label': t('runs.table') },
      h.table(
        { class: 'runs' },
        h.caption({ class: 'unseen' }, t('runs.table')),
        h.thead(
          h.tr(
            ['outcome', 'started', 'trigger'].map((name) => h.th({ scope: 'col' }, t(`runs.${name}`))),
            ['took', ...COUNTS].map((name) => h.th({ scope: 'col', class: 'number' }, t(`runs.${name}`))),
          ),
        ),
        h.tbody(runs.map((run) => row(page, page.live.run?.id === run.id ? page.live.run : run))),
      ),
    ),
    runs.length >= limit &&
      h.p(
        { class: 'actions' },
        h.a({ class: 'button', href: link('runs', more) }, limit < MOST ? t('runs.more') : t('runs.older')),
      ),
  ];
}

function row(page, run) {
  const { t, f, now } = page;
  return h.tr(
    { key: run.id },
    h.th({ scope: 'row' }, runLink(run, outcome(page, run.status))),
    h.td(when(page, run.started_at)),
    h.td(t(`trigger.${run.trigger}`)),
    h.td({ class: 'number' }, f.duration(seconds(run, now))),
    COUNTS.map((name) =>
      h.td({ class: `number ${run.counts[name] ? `count-${name}` : 'is-zero'}` }, f.number(run.counts[name])),
    ),
  );
}
