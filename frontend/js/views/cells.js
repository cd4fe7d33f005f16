// Values of a table as people read them. Whatever a text holds, it stays text.

import { h } from '../dom.js';
import { compact, pretty } from '../json.js';

const FOLDED = 140; // characters of a text that are shown before it is unfolded

const SHORT = 32; // characters of a text that is not broken into lines

export const isNumeric = (type) => type === 'integer' || type === 'number';

/** What a cell shows of a value of a column's type. `key` is its own: by it, a long value stays unfolded. */
export function cell(page, key, type, value) {
  const { t, f } = page;
  if (value === null || value === undefined) return h.span({ class: 'null' }, t('null'));
  if (type === 'integer' && typeof value !== 'string') return f.number(value);
  if (type === 'number') return fraction(f, value);
  if (type === 'boolean') return String(value);
  if (type === 'timestamp') return h.time({ datetime: value, title: value }, toTheSecond(value));
  if (type === 'json' || typeof value !== 'string')
    return folded(page, key, compact(value), () => pretty(value), 'code');
  return folded(page, key, value, () => value, 'text');
}

/** A text that is long or has lines shows its beginning, and the whole where asked for. `kind` is text or code. */
export function folded({ opened, act }, key, line, whole, kind) {
  if (line.length <= FOLDED && !line.includes('\n'))
    return h.span({ class: `value ${kind} ${line.length <= SHORT ? 'is-short' : ''}`, dir: 'auto' }, line);
  const start = line.slice(0, FOLDED).replace(/\s+/g, ' ');
  // The whole is described once it is open: a page of 100 kB texts would otherwise be all in the document.
  return h.details(
    { class: 'fold', ontoggle: (event) => act.unfold(key, event.currentTarget.open) },
    h.summary({ class: `value ${kind}`, dir: 'auto' }, `${start}…`),
    opened.has(key) && h.div({ class: `whole ${kind}`, dir: 'auto', tabindex: '0' }, whole()),
  );
}

/** As it is stored, in UTC. */
function toTheSecond(time) {
  return time.replace('T', ' ').replace(/\.\d+Z$/, 'Z');
}

function fraction(f, value) {
  const size = Math.abs(Number(value));
  return size !== 0 && (size >= 1e15 || size < 1e-6) ? String(value) : f.fraction(value);
}
