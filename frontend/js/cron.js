// A schedule in words: five fields, or a word such as @daily.

const MACROS = {
  '@yearly': '0 0 1 1 *',
  '@annually': '0 0 1 1 *',
  '@monthly': '0 0 1 * *',
  '@weekly': '0 0 * * 0',
  '@daily': '0 0 * * *',
  '@midnight': '0 0 * * *',
  '@hourly': '0 * * * *',
};
const MONTHS = 'jan feb mar apr may jun jul aug sep oct nov dec'.split(' ');
const DAYS = 'sun mon tue wed thu fri sat'.split(' ');
const MOST_TIMES = 6; // more times of day than that are a rule and not a list

/** What people would say of a schedule: every 15 minutes; at 06:00 on Monday. */
export function scheduleInWords(t, f, language, text) {
  const fields = (MACROS[text] ?? text).trim().split(/\s+/);
  if (fields.length !== 5) return text;
  const [minutes, hours, days, months, weekdays] = [
    values(fields[0], 0, 59),
    values(fields[1], 0, 23),
    values(fields[2], 1, 31),
    values(fields[3], 1, 12, MONTHS),
    values(fields[4], 0, 7, DAYS),
  ];
  const parts = [timeInWords(t, f, fields, minutes, hours)];
  const dates = days && f.list(days.map((day) => t('cron.day', { day: String(day) })));
  const names = weekdays && weekdaysInWords(t, f, language, [...new Set(weekdays.map((day) => day % 7))]);
  // CronJob's rule: a day fits either of the two where both are given.
  if (dates && names) parts.push(t('cron.either', { dates: t('cron.dates', { dates }), days: names }));
  else if (dates) parts.push(t('cron.dates', { dates }));
  else if (names) parts.push(names);
  else if (hours && minutes && !fields[1].includes('/')) parts.push(t('cron.everyDay'));
  if (months)
    parts.push(
      t('cron.months', {
        months: f.list(months.map((month) => named(language, { month: 'long' }, Date.UTC(2024, month - 1, 1)))),
      }),
    );
  return parts.join(' ');
}

function timeInWords(t, f, [minute, hour], minutes, hours) {
  const step = /^(?:\*|0-59)\/(\d+)$/.exec(minute)?.[1];
  const during = hours
    ? t('cron.during', { hours: f.list(hours.map((each) => t('cron.hour', { hour: two(each) }))) })
    : '';
  if (!minutes) return [t('cron.everyMinute'), during].filter(Boolean).join(' ');
  if (step && 60 % step === 0) return [t('cron.everyMinutes', { n: Number(step) }), during].filter(Boolean).join(' ');
  const past = f.list(minutes.map((each) => two(each)));
  const hourStep = /^(?:\*|0-23)\/(\d+)$/.exec(hour)?.[1];
  if (!hours) return t('cron.everyHour', { past });
  if (hourStep && 24 % hourStep === 0 && hourStep !== '1') return t('cron.everyHours', { n: Number(hourStep), past });
  const times = hours.flatMap((each) => minutes.map((one) => `${two(each)}:${two(one)}`));
  return times.length <= MOST_TIMES ? t('cron.at', { times: f.list(times) }) : t('cron.pastHours', { past, during });
}

function weekdaysInWords(t, f, language, days) {
  const sorted = days.map((day) => day || 7).sort();
  if (sorted.join() === '1,2,3,4,5') return t('cron.workdays');
  // 1 January 2024 was a Monday.
  return t('cron.weekdays', {
    days: f.list(sorted.map((day) => named(language, { weekday: 'long' }, Date.UTC(2024, 0, day)))),
  });
}

function named(language, parts, time) {
  return new Intl.DateTimeFormat(language, { ...parts, timeZone: 'UTC' }).format(time);
}

/** The values of a field; null where it takes all of them. */
function values(field, least, most, words = []) {
  if (field === '*' || field === '?') return null;
  const number = (text) =>
    words.includes(text.toLowerCase()) ? words.indexOf(text.toLowerCase()) + (least === 1 ? 1 : 0) : Number(text);
  const all = new Set();
  for (const part of field.split(',')) {
    const [range, step] = part.split('/');
    const [from, to] = range === '*' || range === '?' ? [least, most] : range.split('-').map(number);
    const last = to ?? (step ? most : from);
    for (let value = from; value <= last; value += Number(step ?? 1)) all.add(value);
  }
  return all.size > most - least ? null : [...all].sort((one, other) => one - other);
}

function two(value) {
  return String(value).padStart(2, '0');
}
