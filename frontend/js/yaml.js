// A document as YAML, to be read. Text that YAML would take for something else is quoted as JSON, which YAML knows.

/** The lines of a value, without an end of line. */
export function yaml(value, indent = '') {
  if (value === null || typeof value !== 'object') return scalar(value);
  const items = Array.isArray(value)
    ? value.map((item) => ['-', item])
    : Object.entries(value).map(([name, item]) => [`${scalar(name)}:`, item]);
  if (!items.length) return Array.isArray(value) ? '[]' : '{}';
  return items.map(([head, item]) => `${indent}${head}${below(item, indent, head)}`).join('\n');
}

function below(item, indent, head) {
  if (item === null || typeof item !== 'object' || !Object.keys(item).length) return ` ${yaml(item)}`;
  if (isShort(item)) return ` ${flow(item)}`;
  if (head === '-') return ` ${yaml(item, `${indent}  `).trimStart()}`;
  return `\n${yaml(item, `${indent}  `)}`;
}

function isShort(item) {
  const parts = Object.values(item);
  return (
    parts.every((part) => part === null || typeof part !== 'object' || (Array.isArray(part) && isShort(part))) &&
    flow(item).length <= 88
  );
}

function flow(item) {
  if (Array.isArray(item)) return `[${item.map((part) => flow(part)).join(', ')}]`;
  if (item === null || typeof item !== 'object') return scalar(item, true);
  return `{${Object.entries(item)
    .map(([name, part]) => `${scalar(name, true)}: ${flow(part)}`)
    .join(', ')}}`;
}

function scalar(value, inFlow = false) {
  if (typeof value !== 'string') return String(value);
  const isText = /^[A-Za-z0-9/_][^\n\r\t]*$/.test(value) && !/: |:$| #|\s$/.test(value);
  const isOther = /^(true|false|null|yes|no|on|off|y|n|0[xo].*|[\d:._eE+-]+)$/i.test(value);
  return isText && !isOther && !(inFlow && /[,[\]{}]/.test(value)) ? value : JSON.stringify(value);
}
