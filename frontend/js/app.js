// The page: puts the parts together, and draws them anew whenever something has changed.

import { createActions } from './actions.js';
import { createApi } from './api.js';
import { patch } from './dom.js';
import { formats } from './format.js';
import { frame } from './frame.js';
import { choose, translator } from './i18n.js';
import { inWords } from './counts.js';
import { follow } from './live.js';
import { createResources } from './resources.js';
import { parse } from './router.js';
import { open } from './storage.js';
import { createTrail } from './trail.js';
import * as data from './views/data.js';
import * as overview from './views/overview.js';
import * as pipeline from './views/pipeline.js';
import * as preview from './views/preview.js';
import * as run from './views/run.js';
import * as runs from './views/runs.js';

const VIEWS = { overview, data, preview, runs, run, pipeline };
const TICK = 1000; // milliseconds between looks at the clock
const SLOW = 10; // ticks between them while no run is on

const kept = { always: open('localStorage'), forTheTab: open('sessionStorage') };
const state = {
  language: kept.always.getItem('language') ?? choose(navigator.languages),
  route: parse(location.hash),
  opened: new Set(), // what the reader has unfolded in this view
  tokenWanted: null,
  hasDeclined: false, // to give a token
  notice: null,
  isStarting: false,
  isCancelling: false,
  seen: null, // when the service was last heard of
};
const held = new Map(); // what a view has shown by name, to be kept while another page of it is on its way
const spoken = new Map(); // language → its texts and formats
const api = createApi({ base: new URL('api/', document.baseURI), storage: kept.forTheTab, wantToken });
const resources = createResources(api.get, draw);
const live = follow(api, heard);
const trail = createTrail(kept.forTheTab);
const actions = createActions({ api, live, resources, state, storage: kept.always, draw, say, words });
const systemIsDark = matchMedia('(prefers-color-scheme: dark)');

let isDrawing = false;
let lastHeard = '';
let lastReach = 'unknown';
let ticks = 0;

addEventListener('hashchange', turned);
systemIsDark.addEventListener('change', draw);
setInterval(tick, TICK);
draw();

/** Draw once, however many things have changed by then. */
function draw() {
  if (isDrawing) return;
  isDrawing = true;
  queueMicrotask(() => {
    isDrawing = false;
    const page = describe();
    const view = VIEWS[state.route.view];
    document.documentElement.lang = state.language;
    document.title = `${view.title(page)} · ${page.pipeline?.metadata.name ?? 'EtlPipeline'}`;
    const hadFocus = document.activeElement;
    patch(document.querySelector('#app'), frame(page, view.show(page)));
    keepFocus(hadFocus);
  });
}

/** All that a view is drawn from. */
function describe() {
  const { t, f } = words();
  const document_ = resources.want('etl/pipeline');
  const stats = resources.want('stats');
  const table = document_.value?.spec.load.table ?? null;
  const { view } = state.route;
  const wanted = Object.entries(VIEWS[view].needs(state.route, table));
  return {
    ...state,
    ...live.state,
    t,
    f,
    api,
    trail,
    table,
    stats,
    live: live.state,
    act: actions,
    go: actions.go,
    now: api.now(),
    isDark: (document.documentElement.dataset.theme ?? (systemIsDark.matches ? 'dark' : 'light')) === 'dark',
    document: document_,
    pipeline: document_.value ?? null,
    resources: Object.fromEntries(wanted.map(([name, path]) => [name, keeping(view, name, resources.want(path))])),
  };
}

/** A resource, with what was shown in its place until its first answer is there: so that nothing jumps. */
function keeping(view, name, resource) {
  const place = `${view} ${name} ${state.route.id}`;
  if (resource.value !== undefined) held.set(place, resource);
  const before = held.get(place);
  return resource.value === undefined && before && !resource.problem
    ? { ...resource, value: before.value, path: before.path }
    : resource;
}

/** The texts and formats of the reader's language, made once for each: formats are slow to make. */
function words() {
  const { language } = state;
  if (!spoken.has(language)) {
    const f = formats(language, api.now);
    spoken.set(language, { t: translator(language, f.number), f });
  }
  return spoken.get(language);
}

/** A run has begun, moved or ended, or the service has gone or come back. */
function heard() {
  const { run: latest, reach } = live.state;
  const now = latest ? `${latest.id} ${latest.status} ${latest.attempt}` : String(latest);
  if (now !== lastHeard) {
    const wasOn = lastHeard.includes(' running ');
    if (latest && latest.status !== 'running' && (wasOn || state.isStarting)) ended(latest);
    // A preview is of the source, and costs it: who looks at one asks for the next.
    if (lastHeard !== 'undefined' && lastHeard !== '') resources.expire(({ path }) => !path.startsWith('etl/preview'));
    lastHeard = now;
  }
  if (reach === 'here') {
    state.seen = null;
    if (lastReach === 'away' || lastReach === 'locked')
      resources.expire(({ path, problem }) => problem || !path.startsWith('etl/preview'));
  } else if (lastReach === 'here') state.seen = new Date().toISOString();
  lastReach = reach;
  draw();
}

function ended(latest) {
  const { t, f } = words();
  state.isCancelling = false;
  say(t('said.ended', { outcome: t(`status.${latest.status}`), words: inWords(t, latest.counts) }));
}

function turned() {
  const before = state.route;
  state.route = parse(location.hash);
  if (before.view !== state.route.view || before.id !== state.route.id) {
    state.opened.clear();
    state.notice = null;
    draw();
    queueMicrotask(() => {
      scrollTo(0, 0);
      document.querySelector('#main').focus({ preventScroll: true });
    });
  } else draw();
}

function tick() {
  ticks += 1;
  if (!document.hidden && (live.state.run?.status === 'running' || ticks % SLOW === 0)) draw();
}

/** The button becomes the progress, and the progress the button: focus goes with it. */
function keepFocus(before) {
  if (!before || before.isConnected) return;
  const wasThere = before.id === 'run' || before.closest('#progress');
  if (wasThere) document.querySelector('#progress, #run')?.focus();
}

/** Tell who is read to. */
function say(text) {
  document.querySelector('#said').textContent = text;
}

/** Ask for the token; who has declined is asked again only for what they do themselves. */
function wantToken({ wasRefused, byReader }) {
  if (state.tokenWanted) return state.tokenWanted.promise;
  if (state.hasDeclined && !byReader) return null;
  const { promise, resolve } = deferred();
  state.tokenWanted = { wasRefused, promise, resolve };
  draw();
  return promise;
}

function deferred() {
  let resolve;
  const promise = new Promise((done) => {
    resolve = done;
  });
  return { promise, resolve };
}
