import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';

import en from '../../frontend/js/en.js';
import fr from '../../frontend/js/fr.js';
import { choose, translator } from '../../frontend/js/i18n.js';

const folder = new URL('../../frontend/js/', import.meta.url);
const files = readdirSync(folder, { recursive: true }).filter(
  (name) => name.endsWith('.js') && !['en.js', 'fr.js', 'i18n.js'].includes(name),
);
const sources = files.map((name) => readFileSync(new URL(name, folder), 'utf8')).join('\n');

const forms = (text) => (typeof text === 'string' ? [text] : Object.values(text));
const names = (text) => new Set(forms(text).flatMap((form) => form.match(/\{\w+\}/g) ?? []));

test('both languages have the same texts', () => {
  assert.deepEqual(Object.keys(fr).sort(), Object.keys(en).sort());
});

test('a text has the same places for values in both languages', () => {
  const differ = Object.keys(en).filter(
    (key) => [...names(en[key])].sort().join() !== [...names(fr[key])].sort().join(),
  );
  // A plural form may leave its number out.
  assert.deepEqual(
    differ.filter((key) => typeof en[key] === 'string'),
    [],
  );
});

test('every text that the page asks for by name is there', () => {
  const asked = [...sources.matchAll(/\bt(?:\.rich)?\('([^']+)'/g)].map(([, key]) => key);

  assert.ok(asked.length > 100);
  assert.deepEqual(
    asked.filter((key) => !(key in en)),
    [],
  );
});

test('no text is left that the page does not use', () => {
  const families = [...sources.matchAll(/`([\w.]+\.)\$\{/g)].map(([, start]) => start);
  const isUsed = (key) =>
    sources.includes(`'${key}'`) || sources.includes(`.${key}`) || families.some((start) => key.startsWith(start));

  assert.deepEqual(
    Object.keys(en).filter((key) => !isUsed(key)),
    [],
  );
});

test('an error that says what happened also says what to do', () => {
  const reasons = Object.keys(en)
    .filter((key) => key.startsWith('why.'))
    .map((key) => key.slice(4));

  assert.deepEqual(
    reasons.filter((reason) => !(`remedy.${reason}` in en)),
    [],
  );
});

test('the reader gets the first language that there is', () => {
  assert.equal(choose(['de-DE', 'fr-CA', 'en']), 'fr');
  assert.equal(choose(['de-DE']), 'en');
});

test('a number decides the plural, in French also for nought', () => {
  const t = translator('fr', String);

  assert.equal(t('pages', { n: 0 }), '0 page');
  assert.equal(t('pages', { n: 2 }), '2 pages');
  assert.deepEqual(t.rich('run.title', { id: { tag: 'b' } }), ['Exécution ', { tag: 'b' }, '']);
});
