// An error in the reader's language: what happened, where, and what to do. What is about a reason that there are no
// texts for is said in the service's own words, which are complete, and English.

/** `problem` is a problem of the service, or a run that has not succeeded. */
export function explain(t, problem) {
  const words = problem.detail ?? problem.message ?? '';
  const { place, what, advice } = taken(words);
  const reason = problem.reason;
  return {
    what: t.has(`why.${reason}`) ? t(`why.${reason}`) : what,
    where: whereOf(t, problem.field, place),
    remedy: t.has(`remedy.${reason}`) ? t(`remedy.${reason}`) : t.has(`why.${reason}`) ? '' : advice,
    words: t.has(`why.${reason}`) ? words : '',
  };
}

/** The service writes `place: what; advice` where an error has a place, and `what; advice` where not. */
function taken(words) {
  const [, place = '', rest] = /^((?:page \d+ of )?(?:https?|file|sample):\S*?)(?:: )(.*)$/s.exec(words) ?? [
    null,
    '',
    words,
  ];
  const cut = rest.lastIndexOf('; ');
  const what = cut < 0 ? rest : rest.slice(0, cut);
  return { place, what: sentence(what), advice: cut < 0 ? '' : sentence(rest.slice(cut + 2)) };
}

function whereOf(t, field, place) {
  const [, page, url] = /^page (\d+) of (.*)$/s.exec(place) ?? [null, null, place];
  const parts = [page && t('where.page', { page: Number(page) }), url, field && t('where.field', { field })];
  return parts.filter(Boolean).join(' · ');
}

function sentence(text) {
  return text && text[0].toUpperCase() + text.slice(1) + (/[.!?…]$/.test(text) ? '' : '.');
}
