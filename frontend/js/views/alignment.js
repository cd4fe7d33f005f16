// Which field of a record became which column of its row, and what was done to it.

/**
 * Lines of `{path, column, kind, before, after}`, in the order of the columns and then of the fields that no column
 * takes. `kind` is `same`, `converted`, `added`, `ignored` or `rejected`. `columns` is the mapping of the document,
 * null where it has none and columns are named after fields; `after` is null where there is no row.
 */
export function align(before, after, columns, rejectedColumn = null) {
  const isRecord = before !== null && typeof before === 'object' && !Array.isArray(before);
  if (!isRecord) return [{ path: '', column: '', kind: 'rejected', before, after: undefined }];
  const mapping =
    columns?.map(({ name, from }) => ({ column: name, path: from ?? `/${name}` })) ?? byName(before, after);
  const lines = mapping.map(({ column, path }) => {
    const field = at(before, path);
    const value = after ? after[column] : undefined;
    const kind = column === rejectedColumn ? 'rejected' : !after || isSame(field, value) ? 'same' : 'converted';
    return { path, column, kind, before: field, after: value };
  });
  const taken = new Set(mapping.map(({ path }) => path.split('/')[1]));
  const mapped = new Set(mapping.map(({ column }) => column));
  const ignored = Object.keys(before)
    .filter((name) => !taken.has(escaped(name)))
    .map((name) => ({
      path: `/${escaped(name)}`,
      column: '',
      kind: 'ignored',
      before: before[name],
      after: undefined,
    }));
  const added = Object.keys(after ?? {})
    .filter((name) => !mapped.has(name))
    .map((name) => ({ path: '', column: name, kind: 'added', before: undefined, after: after[name] }));
  return [...lines, ...ignored, ...added];
}

/** Without a mapping, a column is the field of its name, in snake_case. */
function byName(before, after) {
  const names = new Set(Object.keys(after ?? {}));
  return Object.keys(before).flatMap((field) => {
    const column = [field, snake(field)].find((name) => names.has(name));
    return column || !after ? [{ column: column ?? snake(field), path: `/${escaped(field)}` }] : [];
  });
}

function snake(name) {
  return name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9]+/g, '_')
    .toLowerCase();
}

/** The value that a JSON Pointer points to; undefined where there is none. */
function at(record, pointer) {
  return pointer
    .split('/')
    .slice(1)
    .reduce((value, step) => value?.[step.replaceAll('~1', '/').replaceAll('~0', '~')], record);
}

function escaped(name) {
  return name.replaceAll('~', '~0').replaceAll('/', '~1');
}

function isSame(one, other) {
  if (one === other) return true;
  if (one === null || other === null || one === undefined || other === undefined)
    return (one ?? null) === (other ?? null);
  return (
    typeof one === 'object' && typeof other === 'object' && JSON.stringify(one, large) === JSON.stringify(other, large)
  );
}

function large(_key, value) {
  return typeof value === 'bigint' ? String(value) : value;
}
