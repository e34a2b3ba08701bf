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

const FOCUSABLE = "a[href], button, input, select, textarea, [tabindex]";
const isShown = (node) => Boolean(node?.isConnected && node.getClientRects().length);
const keyOf = (node) => [node.tagName, node.getAttribute("aria-label") ?? node.getAttribute("href") ?? node.textContent].join(" ");

/**
 * Make a change in a node that can remove or hide what has the focus. Then the control that is the same as
 * before gets the focus; if there is none, `next()`; else the heading of the view. Without this, a reader
 * who uses the keyboard would begin again at the top of the page.
 */
export function keepFocus(node, change, next = () => null) {
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  change();
  if (!focused || (isShown(focused) && focused === document.activeElement)) return;
  const same = [...node.querySelectorAll(FOCUSABLE)].find((each) => keyOf(each) === keyOf(focused) && isShown(each));
  const heir = [same, next(), node.querySelector("h1"), document.querySelector("main h1")].find(isShown);
  heir?.focus({ preventScroll: heir !== same });
}

/** Replace the content of a node. */
export const replaceContent = (node, ...content) => keepFocus(node, () => node.replaceChildren(...content));

/** Switch a button on or off. With `disabled`, the button would lose the focus; so its handler asks `isOff`. */
export const switchOff = (button, off) => button.setAttribute("aria-disabled", String(off));

/** True if a button is switched off. */
export const isOff = (button) => button.getAttribute("aria-disabled") === "true";

/** A function that calls `act` after this many milliseconds without a further call (debounce). */
export function calmly(act, milliseconds = 250) {
  let timer;
  return (...given) => {
    clearTimeout(timer);
    timer = setTimeout(() => act(...given), milliseconds);
  };
}
