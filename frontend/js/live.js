// What is going on, as it happens: the latest run, and whether the service can be reached. A run that another process
// starts shows as well. Nothing is asked while the tab is hidden.

const BETWEEN_LOOKS = 700; // milliseconds: a run that somebody else starts is to show within a second
const LONGEST_WAIT = 4000; // milliseconds between looks while the service is away
const FIRST_WORD = 3000; // milliseconds in which the first event comes, if nothing in between holds events back
const SILENCE = 20_000; // milliseconds without a word: a heartbeat was due after 15

/**
 * Follow the latest run. `changed()` is called after each change of what `state` holds:
 *
 * - `run`: the latest run's record; null before the first run, undefined before the first look
 * - `reach`: `unknown`, `here`, `away` or `locked`, which is when the service wants a token
 * - `problem`: why the service cannot be read, where it answers but cannot be
 */
export function follow(api, changed) {
  const state = { run: undefined, reach: 'unknown', problem: null };
  let wake = () => {};
  let streamless = null; // the run whose events do not come through
  loop();
  document.addEventListener('visibilitychange', () => wake());

  return {
    state,

    /** Take in a record that an action gave, and look again at once. */
    take(run) {
      tell(run);
      wake();
    },

    /** Look again at once. */
    look: () => wake(),
  };

  async function loop() {
    for (let failures = 0; ;) {
      try {
        tell(await look());
        reached('here');
        failures = 0;
        if (state.run?.status === 'running' && state.run.id !== streamless) await stream(state.run.id);
      } catch (problem) {
        failures += 1;
        lost(problem);
      }
      await pause(Math.min(BETWEEN_LOOKS * 2 ** Math.max(failures - 1, 0), LONGEST_WAIT));
    }
  }

  /** A run that is known to be on is asked for by its id: that answer has its progress. */
  async function look() {
    const latest = await api.latestRun();
    return latest?.status === 'running' ? api.getRun(latest.id) : latest;
  }

  /** Take what the events say, until the run has ended, the tab is hidden, or nothing is heard for too long. */
  async function stream(id) {
    const control = new AbortController();
    const hidden = () => document.hidden && control.abort();
    let timer;
    const expect = (milliseconds) => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        streamless = id;
        control.abort();
      }, milliseconds);
    };
    document.addEventListener('visibilitychange', hidden);
    try {
      expect(FIRST_WORD);
      for await (const run of api.follow(id, control.signal)) {
        expect(SILENCE);
        if (run?.id === id && run.status) tell(run);
      }
    } catch {
      // Whatever it was: looking goes on, and says what is wrong if it still is.
      if (!document.hidden) streamless = id;
    } finally {
      clearTimeout(timer);
      document.removeEventListener('visibilitychange', hidden);
    }
  }

  function tell(run) {
    if (JSON.stringify(run) === JSON.stringify(state.run)) return;
    state.run = run;
    changed();
  }

  function lost(problem) {
    if (problem.isAway || problem.reason === undefined) reached('away');
    else if (problem.status === 401) reached('locked');
    else reached('here', problem);
  }

  function reached(reach, problem = null) {
    if (reach === state.reach && problem?.reason === state.problem?.reason) return;
    Object.assign(state, { reach, problem });
    changed();
  }

  /** Wait, and for as long as the tab is hidden. */
  async function pause(milliseconds) {
    await new Promise((done) => {
      const timer = setTimeout(done, milliseconds);
      wake = () => {
        clearTimeout(timer);
        done();
      };
    });
    while (document.hidden)
      await new Promise((shown) => document.addEventListener('visibilitychange', shown, { once: true }));
  }
}
