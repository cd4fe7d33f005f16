import assert from 'node:assert/strict';
import { test } from 'node:test';

import { formats } from '../../frontend/js/format.js';

const NOON = Date.parse('2026-01-31T12:00:00Z');
const english = formats('en', () => NOON, 'UTC');
const french = formats('fr', () => NOON, 'UTC');

/** French spaces are of several kinds, and none of them breaks a line. */
const plain = (text) => text.replace(/[\u00a0\u202f]/g, ' ');

test('durations read as people say them', () => {
  assert.equal(english.duration(0.04), '40 ms');
  assert.equal(english.duration(1.23), '1.2 s');
  assert.equal(english.duration(59.97), '1 min 00 s');
  assert.equal(english.duration(184), '3 min 04 s');
  assert.equal(english.duration(2 * 3600 + 5 * 60), '2 h 05 min');
  assert.equal(english.duration(76 * 3600), '3 d 04 h');
  assert.equal(french.duration(1.23), '1,2 s');
  assert.equal(french.duration(76 * 3600), '3 j 04 h');
});

test('numbers are grouped as the language groups them', () => {
  assert.equal(english.number(1204), '1,204');
  assert.equal(plain(french.number(1204)), '1 204');
  assert.equal(english.number(9007199254740993n), '9,007,199,254,740,993');
});

test('sizes count in thousands of bytes', () => {
  assert.equal(english.bytes(0), '0 bytes');
  assert.equal(english.bytes(412_000), '412 kB');
  assert.equal(english.bytes(1_910_000), '1.91 MB');
  assert.equal(plain(french.bytes(412_000)), '412 ko');
});

test('times are told from now, in both directions', () => {
  assert.equal(english.ago('2026-01-31T11:57:00Z'), '3 min ago');
  assert.equal(english.ago('2026-01-31T13:59:00Z'), 'in 1 hr');
  assert.equal(english.ago('2026-01-30T11:00:00Z'), 'yesterday');
  assert.equal(plain(french.ago('2026-01-31T11:57:00Z')), 'il y a 3 min');
});

test('a time of another day comes with its date', () => {
  assert.equal(english.clock('2026-01-31T09:05:00Z'), '09:05');
  assert.equal(english.clock('2026-01-30T09:05:00Z'), 'Jan 30, 2026, 09:05');
});
