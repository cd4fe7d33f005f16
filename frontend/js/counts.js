// The outcome of a run in words.

const PARTS = ['inserted', 'updated', 'unchanged', 'rejected', 'skipped', 'deleted'];

/** 100 fetched: 3 new, 1 changed, 94 the same, 2 rejected. What is zero is left out. */
export function inWords(t, counts) {
  if (counts.fetched === 0 && !counts.deleted) return t('counts.nothing');
  const parts = PARTS.filter((part) => counts[part]).map((part) => t(`counts.${part}`, { n: counts[part] }));
  const fetched = t('counts.fetched', { n: counts.fetched });
  return parts.length ? t('counts.sentence', { fetched, parts: parts.join(', ') }) : fetched;
}

/** How long a run took, or has taken so far, in seconds. */
export function seconds(run, now) {
  return Math.max(0, ((run.ended_at ? Date.parse(run.ended_at) : now) - Date.parse(run.started_at)) / 1000);
}

/** How many of a run's partitions are complete. */
export function done(partitions) {
  return partitions.filter(({ status }) => status === 'succeeded').length;
}
