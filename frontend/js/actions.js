// What a reader can do.

import { save } from './download.js';
import { write } from './router.js';

export function createActions({ api, live, resources, state, storage, draw, say, words }) {
  const actions = {
    /** Show another view, or the same with other parameters. */
    go(route) {
      location.hash = write(route);
    },

    run: () => begin('isStarting', () => api.startRun()),
    replay: (id) => begin('isStarting', () => api.replay(id)),
    cancel: (id) => begin('isCancelling', () => api.cancelRun(id)),

    /** Ask again for what a view shows. */
    again(resource) {
      resources.expire(({ path }) => path === resource.path);
      draw();
    },

    async copy(text) {
      await navigator.clipboard.writeText(text);
      say(words().t('said.copied'));
    },

    async download(event, path, name, isJoined) {
      event.preventDefault();
      try {
        await save(await api.open(path), name, isJoined);
      } catch (problem) {
        told(problem);
      }
    },

    unfold(key, isOpen) {
      if (isOpen === state.opened.has(key)) return;
      if (isOpen) state.opened.add(key);
      else state.opened.delete(key);
      draw();
    },

    dismiss() {
      state.notice = null;
      draw();
    },

    speak(language) {
      state.language = language;
      storage.setItem('language', language);
      draw();
    },

    /** From light to dark and back. */
    turn() {
      const { dataset } = document.documentElement;
      const isDark = dataset.theme ? dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
      dataset.theme = isDark ? 'light' : 'dark';
      storage.setItem('theme', dataset.theme);
      draw();
    },

    skip(event) {
      event.preventDefault();
      document.querySelector('#main').focus();
    },

    answerToken(token) {
      if (!state.tokenWanted) return;
      state.hasDeclined = !token;
      state.tokenWanted.resolve(token);
      state.tokenWanted = null;
      draw();
    },

    /** The reader is ready to give the token after all. */
    unlock() {
      state.hasDeclined = false;
      live.look();
    },
  };
  return actions;

  async function begin(mark, ask) {
    Object.assign(state, { [mark]: true, notice: null });
    draw();
    try {
      const run = await ask();
      if (run?.status === 'running') say(words().t('said.started'));
      if (run) live.take(run);
      else live.look();
    } catch (problem) {
      told(problem);
    }
    if (mark === 'isStarting') state.isStarting = false;
    draw();
  }

  /** A run that is in the way is what the reader wanted to see; that the service is away, the banner says. */
  function told(problem) {
    if (problem.run) live.take(problem.run);
    if (!problem.isAway && problem.status !== 401) state.notice = problem;
    live.look();
    state.isCancelling = false;
    draw();
  }
}
