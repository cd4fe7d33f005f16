// Bars of runs over time, each a link to its run. What is drawn is there as a table as well.

import { h } from './dom.js';
import { icon, runLink } from './parts.js';
import { link } from './router.js';

const ROUND = [1, 2, 3, 4, 6, 8, 10];
const FEWEST_PLACES = 24; // so that the first few runs are bars and not blocks

/**
 * A chart of runs, oldest first: `value(run)` is a number, `written(number)` its text, `round(number)` where the axis
 * ends. Arrow keys go from bar to bar.
 */
export function bars(page, { runs, label, value, written, round = niceTop, isSmall = false }) {
  const top = round(Math.max(...runs.map(value), 0));
  const slot = 100 / Math.max(runs.length, FEWEST_PLACES);
  return h.figure(
    { class: `chart ${isSmall ? 'is-small' : ''}` },
    h.figcaption(label),
    h.div(
      { class: 'chart-field' },
      h.div(
        { class: 'chart-axis', 'aria-hidden': 'true' },
        [top, top / 2, 0].map((tick) => h.span(tick ? written(tick) : '0')),
      ),
      h.svg(
        { class: 'chart-bars', role: 'group', 'aria-label': label, onkeydown: rove },
        !isSmall &&
          ['0.5', '50%', '100%'].map((y) => h.line({ class: 'chart-line', x1: '0', x2: '100%', y1: y, y2: y })),
        runs.map((run, index) =>
          bar(page, run, {
            key: run.id,
            x: index * slot,
            width: slot,
            share: value(run) / top,
            text: written(value(run)),
            isLast: index === runs.length - 1,
          }),
        ),
      ),
    ),
    // A large chart has the history below it.
    isSmall && asTable(page, runs, (run) => written(value(run))),
  );
}

/** The same to be read out, or copied; newest first. */
function asTable(page, runs, text) {
  const { t, f } = page;
  return h.details(
    { class: 'chart-table' },
    h.summary(t('chart.table')),
    h.table(
      h.thead(
        h.tr(
          h.th({ scope: 'col' }, t('runs.started')),
          h.th({ scope: 'col' }, t('runs.outcome')),
          h.th({ scope: 'col', class: 'number' }, t('runs.took')),
        ),
      ),
      h.tbody(
        [...runs]
          .reverse()
          .map((run) =>
            h.tr(
              { key: run.id },
              h.th({ scope: 'row' }, runLink(run, f.clock(run.started_at))),
              h.td(t(`status.${run.status}`)),
              h.td({ class: 'number' }, text(run)),
            ),
          ),
      ),
    ),
  );
}

function bar(page, run, { key, x, width, share, text, isLast }) {
  const { t, f } = page;
  const height = Math.max(share * 100, 2);
  const name = t('chart.bar', { outcome: t(`status.${run.status}`), ago: f.clock(run.started_at), value: text });
  return h.a(
    {
      key,
      class: `bar is-${run.status}`,
      href: link('run', {}, run.id),
      tabindex: isLast ? '0' : '-1',
      'aria-label': name,
    },
    h.title(name),
    h.rect({ class: 'bar-place', x: `${x}%`, y: '0', width: `${width}%`, height: '100%' }),
    h.rect({
      class: 'bar-value',
      x: `${x + width * 0.14}%`,
      y: `${100 - height}%`,
      width: `${width * 0.72}%`,
      height: `${height}%`,
      rx: '1.5',
    }),
    run.status !== 'succeeded' && run.status !== 'running' && mark(run.status, x + width / 2, height),
  );
}

/** The shape of an outcome, above its bar. */
function mark(status, x, height) {
  return h.svg(
    { x: `${x}%`, y: `${Math.max(100 - height, 0)}%`, class: 'bar-mark', overflow: 'visible' },
    h.g(
      { transform: height > 70 ? 'translate(-6 2)' : 'translate(-6 -15)' },
      h.svg({ width: '12', height: '12' }, icon(status)),
    ),
  );
}

/** The least number that is not less, and round as its half is too. */
export function niceTop(most) {
  if (most <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  return ROUND.map((step) => step * power).find((step) => step >= most * 0.999);
}

/** The same for seconds: round in minutes or hours where there are so many. */
export function niceSeconds(most) {
  const unit = most > 3600 ? 3600 : most > 60 ? 60 : 1;
  return niceTop(most / unit) * unit;
}

/** One bar takes part in the order of Tab; the arrows move among them. */
function rove(event) {
  const all = [...event.currentTarget.querySelectorAll('a')];
  const here = all.indexOf(event.target.closest('a'));
  const to = { ArrowLeft: here - 1, ArrowRight: here + 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined || !all[to]) return;
  event.preventDefault();
  for (const each of all) each.setAttribute('tabindex', each === all[to] ? '0' : '-1');
  all[to].focus();
}
