// Numbers, sizes, durations and times as people of a language read them.

const SECOND = 1;
const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const UNITS = [
  ['day', DAY],
  ['hour', HOUR],
  ['minute', MINUTE],
  ['second', SECOND],
];
const SIZES = ['byte', 'kilobyte', 'megabyte', 'gigabyte', 'terabyte'];

/** Formats for a language; `now()` gives milliseconds, on the service's clock. */
export function formats(language, now = Date.now, timeZone = undefined) {
  const integers = new Intl.NumberFormat(language);
  const fractions = new Intl.NumberFormat(language, { maximumFractionDigits: 15 });
  const short = new Intl.NumberFormat(language, { maximumFractionDigits: 1, minimumFractionDigits: 1 });
  const percents = new Intl.NumberFormat(language, { style: 'percent', maximumFractionDigits: 1 });
  const relative = new Intl.RelativeTimeFormat(language, { style: 'short', numeric: 'auto' });
  const exact = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'medium', timeZone });
  const dated = new Intl.DateTimeFormat(language, { dateStyle: 'medium', timeZone });
  const clocks = new Intl.DateTimeFormat(language, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone });
  const stamps = new Intl.DateTimeFormat(language, {
    year: 'numeric',
    month: '2-digit',
    day: '2-digit',
    hour: '2-digit',
    minute: '2-digit',
    second: '2-digit',
    hourCycle: 'h23',
    timeZone,
  });
  const sizes = SIZES.map(
    (unit) =>
      new Intl.NumberFormat(language, {
        style: 'unit',
        unit,
        unitDisplay: unit === 'byte' ? 'long' : 'short',
        maximumSignificantDigits: 3,
      }),
  );

  const number = (value) => integers.format(value);

  return {
    number,
    fraction: (value) => fractions.format(value),
    percent: (share) => percents.format(share),

    /** 412 kB, of 1000 bytes each, as disks count. */
    bytes(value) {
      const power = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), SIZES.length - 1);
      return sizes[power].format(value / 1000 ** power);
    },

    /** 40 ms, 1.2 s, 3 min 04 s, 2 h 05 min, 3 d 04 h. */
    duration(seconds) {
      if (seconds < 0.1) return `${number(Math.round(seconds * 1000))} ms`;
      if (seconds < 59.95) return `${short.format(seconds)} s`;
      const whole = Math.round(seconds);
      if (whole < HOUR) return `${Math.floor(whole / MINUTE)} min ${two(whole % MINUTE)} s`;
      if (whole < DAY) return `${Math.floor(whole / HOUR)} h ${two(Math.floor((whole % HOUR) / MINUTE))} min`;
      const days = language === 'fr' ? 'j' : 'd';
      return `${number(Math.floor(whole / DAY))} ${days} ${two(Math.floor((whole % DAY) / HOUR))} h`;
    },

    /** 3 min ago, in 2 hr; `time` is RFC 3339. */
    ago(time) {
      const seconds = (Date.parse(time) - now()) / 1000;
      const [unit, size] = UNITS.find(([, each]) => Math.abs(seconds) >= each) ?? ['second', SECOND];
      return relative.format(Math.trunc(seconds / size), unit).replace('.', '');
    },

    /** The moment in full, for who wants to know exactly. */
    exact: (time) => exact.format(new Date(time)),

    /** As a cell shows it: to the second, its digits under each other. */
    stamp: (time) => stamps.format(new Date(time)),

    /** 14:15, with the date where it is another day. */
    clock(time) {
      const there = new Date(time);
      const clock = clocks.format(there);
      return dated.format(there) === dated.format(new Date(now())) ? clock : `${dated.format(there)}, ${clock}`;
    },

    /** A list as a sentence has it: a, b and c. */
    list: (items) => new Intl.ListFormat(language, { type: 'conjunction' }).format(items),
  };
}

function two(value) {
  return String(value).padStart(2, '0');
}
