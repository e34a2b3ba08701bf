/** Creates nodes of the page. Text is always added as text, never as markup. */

const SVG = "http://www.w3.org/2000/svg";

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (typeof value === "function") node.addEventListener(name, value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** An element: `h("a", { href: "#", click: go }, "text", node)`. */
export function h(tag, attributes, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** An element of SVG, with the same arguments as `h`. */
export function svg(tag, attributes, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** A field with its label. Gives `control` a unique id. */
let fields = 0;
export function field(label, control, hint) {
  control.id ||= `field-${++fields}`;
  const about = hint && h("small", { id: `${control.id}-hint` }, hint);
  if (about) control.setAttribute("aria-describedby", about.id);
  return h("div", { class: "field" }, h("label", { for: control.id }, label), control, about);
}

/** A select of [value, text] pairs. */
export function select(attributes, options, chosen = "") {
  return h("select", attributes, ...options.map(([value, text]) =>
    h("option", { value, selected: value === chosen }, text)));
}

/** Set the text of a node, unless the node already has this text. */
export function say(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Replace the content of a view. If its old content had the focus, its new heading gets it. */
export function replaceContent(view, ...content) {
  const focused = view.contains(document.activeElement);
  view.replaceChildren(...content);
  if (focused) view.querySelector("h1")?.focus({ preventScroll: true });
}

/** A function that calls `act` after this many milliseconds without a further call (debounce). */
export function calmly(act, milliseconds = 250) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), milliseconds);
  };
}
