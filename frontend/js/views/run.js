// One run: what it did, where its time went, what went wrong, and what it could not take.

import { inWords, seconds } from '../counts.js';
import { h } from '../dom.js';
import { copyButton, empty, facts, icon, loaded, outcome, section, trouble, when } from '../parts.js';
import { pretty } from '../json.js';
import { link } from '../router.js';
import { partitions } from './partitions.js';

const PHASES = ['extract', 'transform', 'load'];
const SHOWN_REJECTS = 100;

export const title = ({ t, route }) => t('run.title', { id: route.id });
export const needs = ({ id }) => ({
  run: `etl/runs/${encodeURIComponent(id)}`,
  rejects: `etl/runs/${encodeURIComponent(id)}/rejects?limit=${SHOWN_REJECTS}`,
});

export function show(page) {
  const { t, route, resources } = page;
  const { run, rejects } = resources;
  if (run.problem?.status === 404)
    return empty(
      t('run.unknown', { id: route.id }),
      t('run.unknownText'),
      h.a({ class: 'button', href: link('runs') }, t('nav.runs')),
    );
  return [
    h.p({ class: 'trail' }, h.a({ href: link('runs') }, icon('previous'), t('nav.runs'))),
    h.div(
      { class: 'toolbar' },
      h.h1({ class: 'run-id' }, t('run.title', { id: route.id })),
      copyButton(page, route.id, t('run.copy')),
    ),
    loaded(
      page,
      run,
      (record) => {
        const fresh = page.live.run?.id === record.id ? page.live.run : record;
        return [
          summary(page, fresh),
          fresh.partitions && partitions(page, fresh),
          fresh.status !== 'running' && fresh.counts.rejected > 0 && rejected(page, fresh, rejects),
        ];
      },
      6,
    ),
  ];
}

function summary(page, run) {
  const { t, f, now } = page;
  const isBad = !['running', 'succeeded'].includes(run.status);
  return [
    h.section(
      { class: `card last is-${run.status}`, 'aria-label': t('runs.outcome') },
      h.p(
        { class: 'last-head' },
        outcome(page, run.status),
        h.span({ class: 'muted' }, when(page, run.ended_at ?? run.started_at)),
      ),
      isBad && run.reason && trouble(page, run),
      h.p({ class: isBad ? 'muted' : 'last-words' }, inWords(t, run.counts)),
      run.schema_changes.length > 0 &&
        h.ul(
          { class: 'changes' },
          run.schema_changes.map((change) => h.li({ lang: 'en' }, change)),
        ),
    ),
    h.div(
      { class: 'columns' },
      section(
        t('run.about'),
        facts([
          [t('run.started'), f.exact(run.started_at)],
          [t('run.ended'), run.ended_at && f.exact(run.ended_at)],
          [t('run.took'), f.duration(seconds(run, now))],
          [t('run.trigger'), t(`trigger.${run.trigger}`)],
          [t('run.request'), run.request_id && h.code(run.request_id)],
          [t('run.attempt'), run.attempt > 1 && f.number(run.attempt)],
          [t('run.pages'), f.number(run.pages)],
          [t('run.bytes'), f.bytes(run.bytes)],
          [t('run.retries'), run.retries > 0 && f.number(run.retries)],
          [t('run.requests'), requests(page, run.requests)],
        ]),
      ),
      section(t('run.time'), phases(page, run), h.p({ class: 'muted small' }, t('run.overlap'))),
    ),
  ];
}

function requests({ t, f }, byStatus) {
  const parts = Object.entries(byStatus ?? {}).map(([status, count]) =>
    t('run.answers', { count: f.number(count), status }),
  );
  return parts.length ? parts.join(', ') : null;
}

function phases({ t, f }, run) {
  const most = Math.max(...PHASES.map((phase) => run.seconds[phase]), 0.001);
  return h.dl(
    { class: 'phases' },
    PHASES.map((phase) =>
      h.div(
        h.dt(t(`phase.${phase}`)),
        h.dd(
          h.svg(
            { class: 'phase-bar', 'aria-hidden': 'true' },
            h.rect({ width: `${Math.max((run.seconds[phase] / most) * 100, 0.5)}%`, height: '100%', rx: '2' }),
          ),
          h.span({ class: 'number' }, f.duration(run.seconds[phase])),
        ),
      ),
    ),
  );
}

function rejected(page, run, resource) {
  const { t, act, live } = page;
  return section(
    t('run.rejected', { n: run.counts.rejected }),
    h.p(t('run.rejectedText')),
    loaded(page, resource, (rejects) =>
      rejects.length
        ? [
            h.p(
              { class: 'actions' },
              h.button(
                {
                  type: 'button',
                  'aria-disabled': live.run?.status === 'running' ? 'true' : null,
                  onclick: () => act.replay(run.id),
                },
                t('run.replay'),
              ),
            ),
            h.ol(
              { class: 'rejects' },
              rejects.map((reject) => one(page, reject)),
            ),
            run.counts.rejected > rejects.length && h.p({ class: 'muted' }, t('run.notAll', { n: rejects.length })),
          ]
        : empty(t('run.noRejects'), t('run.noRejectsText')),
    ),
  );
}

function one({ t }, reject) {
  return h.li(
    { key: reject.id, class: 'reject' },
    h.p(
      { class: 'reject-what' },
      icon('failed'),
      h.strong(reject.field ?? t('run.record')),
      h.span({ lang: 'en', class: 'wrap' }, reject.message),
    ),
    h.p(
      { class: 'muted small wrap' },
      t('run.place', { page: reject.page, index: reject.index }),
      ' · ',
      reject.url,
      ' · ',
      h.code(reject.reason),
    ),
    h.details(h.summary(t('run.raw')), h.pre({ tabindex: '0', dir: 'auto' }, shown(reject.record))),
  );
}

function shown(record) {
  return typeof record === 'string' ? record : pretty(record);
}
