// Describes elements, and makes a part of the document be as described. What is there already stays the same
// node, so focus, scroll and selection survive an update. Text becomes text nodes and never markup.

const SVG = 'http://www.w3.org/2000/svg';
const described = new WeakMap(); // node → the description it was last made to fit
const describers = {}; // tag → what describes elements of it

/** An element as it should be. A class of its own, so that no object out of data is ever taken for one. */
class Description {
  constructor(tag, props, children) {
    Object.assign(this, { tag, props, key: props.key, children });
  }
}

/**
 * Describes elements: `h.p({ class: 'muted' }, 'text', child)`, or `h.p('text')`. Properties beginning with `on` are
 * listeners; `key` keeps a node its own among its siblings; `made` is called with a node that is new.
 */
export const h = new Proxy(describers, {
  get: (known, tag) => (known[tag] ??= (...parts) => describe(tag, parts)),
});

/** Makes the children of `parent` be as described. */
export function patch(parent, ...descriptions) {
  patchChildren(parent, flat(descriptions), parent.namespaceURI === SVG);
}

function describe(tag, [first, ...rest]) {
  const hasProps =
    first !== null && typeof first === 'object' && !Array.isArray(first) && !(first instanceof Description);
  return hasProps ? new Description(tag, first, flat(rest)) : new Description(tag, {}, flat([first, ...rest]));
}

function flat(children) {
  return children
    .flat(Infinity)
    .filter((child) => child !== null && child !== undefined && child !== false && child !== true);
}

function patchChildren(parent, wanted, svg) {
  const keyed = keptByKey(parent, wanted);
  let place = parent.firstChild;
  for (const description of wanted) {
    const found =
      description.key === undefined ? (isLike(place, description) ? place : null) : keyed.get(description.key);
    const node = found ?? create(description, svg);
    if (node === place) place = place.nextSibling;
    else parent.insertBefore(node, place);
    update(node, description, svg);
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

/** The children that keep their key. The others go first: then those that stay need not move, and keep focus. */
function keptByKey(parent, wanted) {
  const tags = new Map(wanted.filter((one) => one.key !== undefined).map((one) => [one.key, one.tag]));
  const kept = new Map();
  for (const child of [...parent.childNodes]) {
    const { key, tag } = described.get(child) ?? {};
    if (key === undefined) continue;
    if (tags.get(key) === tag) kept.set(key, child);
    else child.remove();
  }
  return kept;
}

function isLike(node, description) {
  if (!node) return false;
  if (!(description instanceof Description)) return node.nodeType === Node.TEXT_NODE;
  const before = described.get(node);
  return before !== undefined && before.key === undefined && before.tag === description.tag;
}

function create(description, svg) {
  if (!(description instanceof Description)) return document.createTextNode('');
  return svg || description.tag === 'svg'
    ? document.createElementNS(SVG, description.tag)
    : document.createElement(description.tag);
}

function update(node, description, svg) {
  if (!(description instanceof Description)) {
    const text = String(description);
    if (node.data !== text) node.data = text;
    return;
  }
  const before = described.get(node)?.props ?? {};
  const isNew = !described.has(node);
  described.set(node, description);
  for (const name of Object.keys(before)) if (!(name in description.props)) set(node, name, null, before[name]);
  patchChildren(node, description.children, svg || description.tag === 'svg');
  // After the children: a select takes its value only once it has its options.
  for (const [name, value] of Object.entries(description.props))
    if (value !== before[name]) set(node, name, value, before[name]);
  if (isNew) description.props.made?.(node);
}

function set(node, name, value, before) {
  if (name === 'key' || name === 'made') return;
  if (name.startsWith('on')) listen(node, name.slice(2).toLowerCase(), value, before);
  else if (name === 'value' || name === 'checked' || name === 'open') node[name] = value ?? '';
  else if (value === null || value === undefined || value === false) node.removeAttribute(name);
  else node.setAttribute(name, value === true ? '' : value);
}

/** One listener per kind of event that looks up today's handler, so that an update need not take it off and on. */
function listen(node, kind, handler, before) {
  if (!before && handler) node.addEventListener(kind, handle);
  if (before && !handler) node.removeEventListener(kind, handle);
}

function handle(event) {
  const props = described.get(event.currentTarget)?.props ?? {};
  const name = Object.keys(props).find((each) => each.toLowerCase() === `on${event.type}`);
  props[name]?.(event);
}
