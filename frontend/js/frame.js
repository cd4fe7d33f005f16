// What is around every view: the pipeline's name and state, the one button, the ways to go, and what must be said.

import { done, seconds } from './counts.js';
import { h } from './dom.js';
import { LANGUAGES } from './i18n.js';
import { icon, outcome, runLink, trouble, when } from './parts.js';
import { link, VIEWS } from './router.js';

export function frame(page, content) {
  const { t, act } = page;
  return [
    h.a({ class: 'skip', href: '#main', onclick: act.skip }, t('skip')),
    h.div(
      { class: 'frame' },
      header(page),
      navigation(page),
      h.main({ id: 'main', tabindex: '-1', class: `view view-${page.route.view}` }, banners(page), content),
    ),
    page.tokenWanted && tokenDialog(page),
  ];
}

function header(page) {
  const { t, live, pipeline } = page;
  const run = live.run;
  const isOn = run?.status === 'running';
  return h.header(
    { class: `top ${isOn ? 'is-on' : ''}` },
    h.a({ class: 'name', href: link('overview') }, pipeline?.metadata.name ?? 'EtlPipeline'),
    h.div(
      { class: 'top-state' },
      run &&
        !isOn &&
        runLink(run, outcome(page, run.status), h.span({ class: 'muted' }, when(page, run.ended_at ?? run.started_at))),
      run === null && h.span({ class: 'muted' }, t('run.never')),
    ),
    isOn
      ? progress(page, run)
      : h.button(
          {
            key: 'run',
            id: 'run',
            type: 'button',
            class: 'primary',
            'aria-disabled': page.isStarting ? 'true' : null,
            onclick: () => !page.isStarting && page.act.run(),
          },
          page.isStarting ? t('run.starting') : t('run.now'),
        ),
  );
}

/** How far the run is: what it reads, how fast, for how long, and the way to end it. */
function progress(page, run) {
  const { t, f, now } = page;
  const took = seconds(run, now);
  const { fetched } = run.counts;
  const parts = [
    t(`progress.${run.phase}`),
    run.partitions && t('partitions.progress', { n: run.partitions.length, done: f.number(done(run.partitions)) }),
    t('pages', { n: run.pages }),
    t('records', { n: fetched }),
    took >= 1 && fetched > 0 && t('progress.rate', { n: Math.round(fetched / took) }),
    f.duration(took),
  ].filter(Boolean);
  return h.div(
    {
      key: 'progress',
      id: 'progress',
      class: 'progress',
      role: 'group',
      tabindex: '-1',
      'aria-label': t('progress.label'),
    },
    h.p(
      { class: 'progress-words' },
      icon('running'),
      parts.map((part, index) => h.span({ class: index ? 'numbers' : 'phase' }, part)),
    ),
    h.progress({
      'aria-label': t('progress.label'),
      max: run.total ?? null,
      value: run.total ? String(Math.min(fetched, run.total)) : null,
    }),
    h.button(
      {
        type: 'button',
        'aria-disabled': page.isCancelling ? 'true' : null,
        onclick: () => !page.isCancelling && page.act.cancel(run.id),
      },
      t(page.isCancelling ? 'run.cancelling' : 'run.cancel'),
    ),
  );
}

function navigation(page) {
  const { t, route, language, act } = page;
  const here = route.view === 'run' ? 'runs' : route.view;
  return h.div(
    { class: 'side' },
    h.div(
      { class: 'side-stays' },
      h.div(
        { class: 'brand', 'aria-hidden': 'true' },
        h.img({ src: 'icon.svg', alt: '', width: '24', height: '24' }),
        'EtlPipeline',
      ),
      h.nav(
        { 'aria-label': t('nav.label') },
        h.ul(
          VIEWS.map((view) =>
            h.li(
              h.a(
                { href: link(view), 'aria-current': view === here ? 'page' : null },
                icon(view),
                h.span(t(`nav.${view}`)),
              ),
            ),
          ),
        ),
      ),
      h.section(
        { class: 'choices', 'aria-label': t('choices') },
        h.div(
          { class: 'languages', role: 'group', 'aria-label': t('language') },
          Object.keys(LANGUAGES).map((each) =>
            h.button(
              {
                type: 'button',
                class: 'plain',
                lang: each,
                'aria-pressed': String(each === language),
                'aria-label': `${each.toUpperCase()} – ${LANGUAGES[each].language_name}`,
                onclick: () => act.speak(each),
              },
              each.toUpperCase(),
            ),
          ),
        ),
        h.button(
          {
            type: 'button',
            class: 'plain theme',
            'aria-label': t(page.isDark ? 'theme.light' : 'theme.dark'),
            title: t(page.isDark ? 'theme.light' : 'theme.dark'),
            onclick: act.turn,
          },
          icon('theme'),
        ),
      ),
    ),
  );
}

function banners(page) {
  const { t, live, act, notice } = page;
  return h.div(
    { class: 'banners' },
    live.reach === 'away' &&
      h.div(
        { key: 'away', class: 'banner', role: 'alert' },
        icon('interrupted'),
        h.p(
          h.strong(t('away')),
          ' ',
          page.seen ? t('away.kept', { time: page.f.clock(page.seen) }) : t('away.waiting'),
        ),
      ),
    live.reach === 'locked' &&
      h.div(
        { key: 'locked', class: 'banner', role: 'alert' },
        icon('interrupted'),
        h.p(h.strong(t('token.wanted')), ' ', t('token.why')),
        h.button({ type: 'button', onclick: act.unlock }, t('token.enter')),
      ),
    live.problem && h.div({ key: 'problem', class: 'banner', role: 'alert' }, trouble(page, live.problem)),
    notice &&
      h.div(
        { key: 'notice', class: 'banner', role: 'alert' },
        trouble(page, notice),
        h.button({ type: 'button', class: 'plain', 'aria-label': t('dismiss'), onclick: act.dismiss }, icon('close')),
      ),
  );
}

function tokenDialog({ t, tokenWanted, act }) {
  const submit = (event) => {
    event.preventDefault();
    act.answerToken(event.currentTarget.elements.token.value.trim() || null);
  };
  return h.dialog(
    {
      key: 'token',
      class: 'dialog',
      'aria-labelledby': 'token-title',
      made: (node) => node.showModal(),
      onclose: () => act.answerToken(null),
    },
    h.form(
      { onsubmit: submit },
      h.h2({ id: 'token-title' }, t('token.wanted')),
      h.p(tokenWanted.wasRefused ? t('token.refused') : t('token.text')),
      h.label({ for: 'token' }, t('token.label')),
      h.input({
        id: 'token',
        name: 'token',
        type: 'password',
        required: true,
        autocomplete: 'off',
        spellcheck: 'false',
      }),
      h.p(
        { class: 'actions' },
        h.button({ class: 'primary' }, t('token.use')),
        h.button({ type: 'button', onclick: () => act.answerToken(null) }, t('token.cancel')),
      ),
    ),
  );
}
