// JSON that keeps its numbers: integers beyond 2^53 become BigInt where the browser shows their text.

/** The value of a JSON text. */
export function parse(text) {
  return JSON.parse(text, (_key, value, context) =>
    typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(context?.source ?? '')
      ? BigInt(context.source)
      : value,
  );
}

/** The JSON text of a value, over several lines. */
export function pretty(value, indent = '') {
  if (typeof value === 'bigint') return String(value);
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null';
  const deeper = `${indent}  `;
  const isArray = Array.isArray(value);
  const items = isArray
    ? value.map((item) => pretty(item, deeper))
    : Object.entries(value).map(([name, item]) => `${JSON.stringify(name)}: ${pretty(item, deeper)}`);
  const [open, close] = isArray ? '[]' : '{}';
  return items.length ? `${open}\n${deeper}${items.join(`,\n${deeper}`)}\n${indent}${close}` : open + close;
}

/** The JSON text of a value, on one line. */
export function compact(value) {
  return typeof value === 'bigint'
    ? String(value)
    : JSON.stringify(value, (_key, each) => (typeof each === 'bigint' ? Number(each) : each));
}
