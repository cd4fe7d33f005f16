import assert from 'node:assert/strict';
import { test } from 'node:test';

import { niceSeconds, niceTop } from '../../frontend/js/chart.js';
import { inWords, seconds } from '../../frontend/js/counts.js';
import { scheduleInWords } from '../../frontend/js/cron.js';
import { joinedLines } from '../../frontend/js/download.js';
import { explain } from '../../frontend/js/explain.js';
import { formats } from '../../frontend/js/format.js';
import { translator } from '../../frontend/js/i18n.js';
import { compact, parse as parseJson, pretty } from '../../frontend/js/json.js';
import { parse, write } from '../../frontend/js/router.js';
import { events } from '../../frontend/js/sse.js';
import { createTrail } from '../../frontend/js/trail.js';
import { align } from '../../frontend/js/views/alignment.js';
import { query } from '../../frontend/js/views/query.js';
import { yaml } from '../../frontend/js/yaml.js';

const english = { f: formats('en', () => 0, 'UTC'), t: translator('en', formats('en').number) };
const french = { f: formats('fr', () => 0, 'UTC'), t: translator('fr', formats('fr').number) };

test('a state goes into the URL and comes back the same', () => {
  const states = [
    { view: 'overview', id: null, params: {} },
    {
      view: 'data',
      id: null,
      params: { q: 'a&b=c #?/ é "', 'f.title': '50%', sort: '-id', after: 'W251bGxd', page: '3' },
    },
    { view: 'run', id: '20260131-120000-a1b2c3/..?', params: {} },
    { view: 'runs', id: null, params: { status: 'failed', limit: '75' } },
  ];
  for (const state of states) assert.deepEqual(parse(write(state)), state);
});

test('what is empty is left out of the URL, and what is no route is the overview', () => {
  assert.equal(write({ view: 'data', params: { sort: 'id', q: '', after: null } }), '#/data?sort=id');
  assert.equal(write({ view: 'overview' }), '#/');
  for (const hash of ['', '#', '#main', '#/nowhere', '#/%E0%A4%A']) assert.equal(parse(hash).view, 'overview');
});

test('the Data view asks the table for what its URL says', () => {
  const params = { q: 'word', sort: '-id', size: '25', after: 'token', 'f.user_id': '3', 'f.limit': '9' };

  assert.equal(String(query(params)), 'limit=25&after=token&sort=id&order=desc&q=word&user_id=3');
  assert.equal(String(query(params, { limit: null, after: null })), 'sort=id&order=desc&q=word&user_id=3');
});

test('the way back is known for pages that were come from, and only for those', () => {
  const items = new Map();
  const storage = { getItem: (key) => items.get(key) ?? null, setItem: (key, value) => items.set(key, value) };
  createTrail(storage).note('sort=id', undefined, 'two');
  createTrail(storage).note('sort=id', 'two', 'three');

  const trail = createTrail(storage);

  assert.equal(trail.before('sort=id', 'three'), 'two');
  assert.equal(trail.before('sort=id', 'two'), '');
  assert.equal(trail.before('sort=name', 'three'), null);
});

test('an outcome reads as a sentence', () => {
  const counts = { fetched: 100, inserted: 3, updated: 1, unchanged: 94, rejected: 2, skipped: 0, deleted: 0 };

  assert.equal(inWords(english.t, counts), '100 fetched: 3 new, 1 changed, 94 the same, 2 rejected');
  assert.equal(
    inWords(french.t, counts).replace(/[\u00a0\u202f]/g, ' '),
    '100 lus : 3 nouveaux, 1 modifié, 94 identiques, 2 rejetés',
  );
  assert.equal(inWords(english.t, { ...counts, fetched: 0, inserted: 0 }), 'Nothing fetched');
});

test('a run that is on has taken until now', () => {
  assert.equal(seconds({ started_at: '2026-01-31T12:00:00Z', ended_at: null }, Date.parse('2026-01-31T12:00:02Z')), 2);
});

test('a schedule is said in words', () => {
  const cases = [
    ['*/15 * * * *', 'every 15 minutes', 'toutes les 15 minutes'],
    ['0 6 * * 1-5', 'at 06:00 from Monday to Friday', 'à 06:00 du lundi au vendredi'],
    ['30 4 * * *', 'at 04:30 every day', 'à 04:30 tous les jours'],
    ['@hourly', 'every hour at 00 minutes past', 'chaque heure à la minute 00'],
    ['@weekly', 'at 00:00 on Sunday', 'à 00:00 le dimanche'],
    ['0 0 1,15 * *', 'at 00:00 on day 1 and 15 of the month', 'à 00:00 le 1 et 15 du mois'],
    ['0 */6 * * *', 'every 6 hours at 00 minutes past', 'toutes les 6 heures à la minute 00'],
    ['0 9 * jan,jul mon', 'at 09:00 on Monday in January and July', 'à 09:00 le lundi en janvier et juillet'],
    ['* * * * *', 'every minute', 'chaque minute'],
    ['0 0 13 * 5', 'at 00:00 on day 13 of the month or on Friday', 'à 00:00 le 13 du mois ou le vendredi'],
  ];
  for (const [cron, inEnglish, inFrench] of cases) {
    assert.equal(scheduleInWords(english.t, english.f, 'en', cron), inEnglish);
    assert.equal(scheduleInWords(french.t, french.f, 'fr', cron), inFrench);
  }
});

test('an error says what happened, where, and what to do', () => {
  const detail =
    'page 7 of https://api.example/posts: no answer within 30 s (tried again 5 times); ask for smaller pages';

  assert.deepEqual(explain(french.t, { reason: 'SourceTimeout', detail }), {
    what: 'La source n’a pas répondu à temps.',
    where: 'page 7 · https://api.example/posts',
    remedy: 'Demandez des pages plus petites, ou augmentez extract.limits.timeout.',
    words: detail,
  });
});

test('an error that nobody has written texts for is told in the service’s words', () => {
  const told = explain(english.t, { reason: 'Brand', field: 'spec.load', message: 'something new; do this' });

  assert.deepEqual(told, { what: 'Something new.', where: 'field spec.load', remedy: 'Do this.', words: '' });
});

test('events are put together from pieces that are cut anywhere', async () => {
  const stream = 'event: progress\r\ndata: {"a":1}\r\n\r\n: still running\n\ndata: one\ndata: two\n\ndata: cut';
  for (const size of [1, 2, 7, 1000]) {
    const chunks = (async function* () {
      for (let at = 0; at < stream.length; at += size) yield stream.slice(at, at + size);
    })();

    assert.deepEqual(await all(events(chunks)), ['{"a":1}', null, 'one\ntwo']);
  }
});

test('lines of JSON become one array, also where there are none', async () => {
  assert.deepEqual(await joined(['{"a":1}\n{"a"', ':2}\n', '{"a":3}\n']), [{ a: 1 }, { a: 2 }, { a: 3 }]);
  assert.deepEqual(await joined([]), []);
});

test('JSON is shown over lines, large integers as they are', () => {
  assert.equal(
    pretty({ a: [1, { b: null }], c: {} }),
    '{\n  "a": [\n    1,\n    {\n      "b": null\n    }\n  ],\n  "c": {}\n}',
  );
  assert.equal(pretty([9007199254740993n]), '[\n  9007199254740993\n]');
  assert.equal(compact({ a: 'x' }), '{"a":"x"}');
  assert.deepEqual(parseJson('{"a": 1.5, "b": [12]}'), { a: 1.5, b: [12] });
});

test('a document as YAML quotes what YAML would take for something else', () => {
  const document = {
    kind: 'EtlPipeline',
    spec: {
      url: 'https://a/b',
      cron: '*/15 * * * *',
      n: 'n',
      size: '12',
      wait: '30s',
      none: null,
      deep: { columns: [{ name: 'id', clean: ['strip'] }] },
    },
  };

  assert.equal(
    yaml(document),
    [
      'kind: EtlPipeline',
      'spec:',
      '  url: https://a/b',
      '  cron: "*/15 * * * *"',
      '  "n": "n"',
      '  size: "12"',
      '  wait: 30s',
      '  none: null',
      '  deep:',
      '    columns:',
      '      - {name: id, clean: [strip]}',
    ].join('\n'),
  );
});

test('before and after are put side by side by the mapping', () => {
  const columns = [{ name: 'id', from: '/id' }, { name: 'city', from: '/address/city' }, { name: 'gone' }];
  const before = { id: '1', address: { city: 'Lyon' }, extra: true };

  assert.deepEqual(align(before, { id: 1, city: 'Lyon', gone: null, loaded_at: 'now' }, columns), [
    { path: '/id', column: 'id', kind: 'converted', before: '1', after: 1 },
    { path: '/address/city', column: 'city', kind: 'same', before: 'Lyon', after: 'Lyon' },
    { path: '/gone', column: 'gone', kind: 'same', before: undefined, after: null },
    { path: '/extra', column: '', kind: 'ignored', before: true, after: undefined },
    { path: '', column: 'loaded_at', kind: 'added', before: undefined, after: 'now' },
  ]);
  assert.equal(align(before, null, columns, 'id')[0].kind, 'rejected');
  assert.equal(align({ userId: 3 }, { user_id: 3 }, null)[0].column, 'user_id');
  assert.equal(align('no object', null, columns)[0].kind, 'rejected');
});

test('an axis ends at a round number', () => {
  assert.deepEqual([0, 0.7, 1, 1.2, 3, 7, 4200].map(niceTop), [1, 0.8, 1, 2, 3, 8, 6000]);
});

test('an axis of durations is round in minutes and hours', () => {
  assert.deepEqual([2.1, 70, 1000, 9000].map(niceSeconds), [3, 120, 1200, 3 * 3600]);
});

async function all(items) {
  const list = [];
  for await (const item of items) list.push(item);
  return list;
}

async function joined(pieces) {
  return JSON.parse((await all(ReadableStream.from(pieces).pipeThrough(joinedLines()))).join(''));
}
