// Texts in the reader's language. A text may hold {names}; one that depends on a number is a table of plural forms.

import en from './en.js';
import fr from './fr.js';

export const LANGUAGES = { en, fr };

/** The first of the wanted languages that there are texts in; English where there is none. */
export function choose(wanted) {
  const known = wanted.map((tag) => tag.toLowerCase().split('-')[0]);
  return known.find((language) => language in LANGUAGES) ?? 'en';
}

/**
 * The translator of a language: `t('key', {name: value})` is a text, and `t.rich(…)` its pieces, in which values may
 * be elements. The number that decides a plural is `n`; numbers are written as `number` writes them.
 */
export function translator(language, number) {
  const texts = LANGUAGES[language];
  const plural = new Intl.PluralRules(language);

  const t = (key, values) => t.rich(key, values).join('');
  t.has = (key) => key in texts;
  t.rich = (key, values = {}) => {
    const text = texts[key] ?? key;
    const form = typeof text === 'string' ? text : (text[plural.select(values.n)] ?? text.other);
    return form.split(/\{(\w+)\}/).map((piece, index) => (index % 2 ? written(values[piece]) : piece));
  };
  return t;

  function written(value) {
    return typeof value === 'number' ? number(value) : (value ?? '');
  }
}
