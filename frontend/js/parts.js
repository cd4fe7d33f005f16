// Small pieces that several views are made of.

import { h } from './dom.js';
import { explain } from './explain.js';
import { link } from './router.js';

const ICONS = {
  succeeded: ['M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z', 'm5 8.2 2.1 2.1L11 6.2'],
  failed: ['M5.3 1.5h5.4l3.8 3.8v5.4l-3.8 3.8H5.3l-3.8-3.8V5.3Z', 'm5.8 5.8 4.4 4.4m0-4.4-4.4 4.4'],
  interrupted: ['M8 1.8 1.4 13.7h13.2Z', 'M8 6.2v3.6m0 1.8v.1'],
  cancelled: ['M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z', 'M5 8h6'],
  running: ['M8 1.5A6.5 6.5 0 0 1 14.5 8'],
  pending: ['M8 1.5a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13Z'],
  overview: ['M2 9.5h4l1.5 4L10 2.5l1.8 7H14'],
  data: ['M2 3h12v10H2Z', 'M2 6.5h12M2 9.8h12M6.5 6.5V13'],
  preview: ['M1.2 8S3.6 3.5 8 3.5 14.8 8 14.8 8 12.4 12.5 8 12.5 1.2 8 1.2 8Z', 'M8 6a2 2 0 1 0 0 4 2 2 0 0 0 0-4Z'],
  runs: ['M8 1.8a6.2 6.2 0 1 0 0 12.4A6.2 6.2 0 0 0 8 1.8Z', 'M8 4.5V8l2.4 1.6'],
  pipeline: ['M2 4.2h4.2v4.2H2Zm7.8 3.4H14v4.2H9.8Z', 'M6.2 6.3h1.7v3.4h1.9'],
  theme: ['M8 1.8a6.2 6.2 0 1 0 0 12.4Z', 'M8 1.8a6.2 6.2 0 1 1 0 12.4'],
  copy: ['M5.5 5.5h8v8h-8Z', 'M10.5 5.5v-3h-8v8h3'],
  close: ['m4 4 8 8m0-8-8 8'],
  up: ['M8 13V3.5M4 7l4-4 4 4'],
  down: ['M8 3v9.5M4 9l4 4 4-4'],
  next: ['m6 3.5 4.5 4.5L6 12.5'],
  previous: ['M10 3.5 5.5 8l4.5 4.5'],
  become: ['M2.5 8h10M9 4.5 12.5 8 9 11.5'],
  filter: ['M2 3.5h12M4.2 8h7.6M6.5 12.5h3'],
  export: ['M8 2v7.5M4.8 6.7 8 9.8l3.2-3.1', 'M2.5 11v2.5h11V11'],
};

const MILD = ['cancelled', 'interrupted']; // of a run: it was ended, and has not failed

/** A picture that says what its text says: hidden from who is read to. */
export function icon(name) {
  return h.svg(
    { class: `icon icon-${name}`, viewBox: '0 0 16 16', 'aria-hidden': 'true' },
    ICONS[name].map((d) => h.path({ d })),
  );
}

/** How a run stands: a shape and a word, and only then a colour. */
export function outcome({ t }, status) {
  return h.span({ class: `outcome is-${status}` }, icon(status), h.span(t(`status.${status}`)));
}

/** A moment: how long ago, and for who points at it or is read to, when exactly. */
export function when({ f }, time) {
  const exact = f.exact(time);
  return h.time({ datetime: time, title: exact }, f.ago(time), h.span({ class: 'unseen' }, ` (${exact})`));
}

/** A button that copies a text. */
export function copyButton({ t, act }, text, label) {
  return h.button(
    { type: 'button', class: 'plain copy', 'aria-label': label, title: label, onclick: () => act.copy(text) },
    icon('copy'),
    h.span(t('copy')),
  );
}

/** A title over content, as a part of a page. */
export function section(title, ...content) {
  return h.section({ class: 'section' }, h.h2(title), content);
}

/** Names and values, side by side. A null value leaves its name out. */
export function facts(pairs, extra = '') {
  return h.dl(
    { class: `facts ${extra}` },
    pairs
      .filter(([, value]) => value !== null && value !== undefined && value !== false)
      .map(([name, value]) => h.div(h.dt(name), h.dd(value))),
  );
}

/** What went wrong: what happened, where, and what to do; the service's own words for who asks others for help. */
export function trouble(page, problem, ...actions) {
  const { t } = page;
  const { what, where, remedy, words } = explain(t, problem);
  const kind = MILD.includes(problem.status) ? problem.status : 'failed';
  return h.div(
    { class: `trouble is-${kind}` },
    h.p({ class: 'trouble-what' }, icon(kind), h.strong(what)),
    where &&
      h.p({ class: 'trouble-where' }, h.span({ class: 'label' }, t('trouble.where')), h.span({ class: 'wrap' }, where)),
    remedy && h.p({ class: 'trouble-remedy' }, h.span({ class: 'label' }, t('trouble.remedy')), h.span(remedy)),
    words &&
      h.details(
        { class: 'trouble-words' },
        h.summary(t('trouble.words')),
        h.p({ class: 'wrap', lang: 'en' }, words),
        problem.reason &&
          h.p(h.code(problem.reason), ' ', copyButton(page, `${problem.reason}: ${words}`, t('trouble.copy'))),
      ),
    actions.length > 0 && h.p({ class: 'actions' }, actions),
  );
}

/** Nothing is here yet, and what to do about it. */
export function empty(title, text, ...actions) {
  return h.div(
    { class: 'empty' },
    h.p({ class: 'empty-title' }, title),
    text && h.p(text),
    actions.length > 0 && h.p({ class: 'actions' }, actions),
  );
}

/** The size of what is to come. No div, which would be made into what comes: moved and stretched, it seems to jump. */
export function skeleton({ t }, lines = 4) {
  return h.span(
    { class: 'skeleton' },
    h.span({ class: 'unseen' }, t('loading')),
    Array.from({ length: lines }, () => h.i()),
  );
}

/**
 * What a resource holds, as `shown(value)` describes it; a skeleton before its first answer. When asking again has
 * failed, what was there stays. That the service is away is said once, by the banner.
 */
export function loaded(page, resource, shown, lines) {
  const { t, act } = page;
  const isQuiet = !resource.problem || resource.problem.isAway || resource.problem.status === 401;
  return [
    !isQuiet &&
      trouble(page, resource.problem, h.button({ type: 'button', onclick: () => act.again(resource) }, t('again'))),
    resource.value !== undefined ? shown(resource.value) : isQuiet && skeleton(page, lines),
  ];
}

/** The link to a run. */
export function runLink(run, ...content) {
  return h.a({ href: link('run', {}, run.id) }, content);
}
