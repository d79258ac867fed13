/** Elements, made in one line. */

/**
 * An element with attributes and children. `class` and the like are attributes; a function is a listener (`onclick`);
 * `false`, `null` and `undefined` are left out, `true` is an attribute without a value. Children are nodes or texts.
 */
export function h(name, attributes = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(key.slice(2), value);
    else if (value !== false && value != null) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.filter((child) => child !== false && child != null));
  return element;
}

let ids = 0;

/** An id that no other element has. */
export const freshId = (prefix) => `${prefix}-${++ids}`;

const ICONS = {
  play: "M7 4.5v15l12-7.5z",
  stop: "M6 6h12v12H6z",
  pause: "M6.5 5h4v14h-4zM13.5 5h4v14h-4z",
  copy: "M8 3h11v14h-3v4H5V7h3zm2 4h6v8h1V5h-7zM7 9v10h7V9z",
  again: "M12 5V1.5L6.5 6 12 10.5V7a5.5 5.5 0 1 1-5.5 5.5h-2A7.5 7.5 0 1 0 12 5z",
  down: "M11 4h2v11.2l4.3-4.3 1.4 1.4L12 19l-6.7-6.7 1.4-1.4 4.3 4.3z",
  close: "M6.4 5 12 10.6 17.6 5 19 6.4 13.4 12l5.6 5.6-1.4 1.4-5.6-5.6L6.4 19 5 17.6 10.6 12 5 6.4z",
  plus: "M11 5h2v6h6v2h-6v6h-2v-6H5v-2h6z",
  theme: "M12 3a9 9 0 1 0 0 18zM12 1a11 11 0 1 1 0 22 11 11 0 0 1 0-22z",
  code: "m8.6 6.6 1.4 1.4L6 12l4 4-1.4 1.4L3.2 12zm6.8 0L20.8 12l-5.4 5.4L14 16l4-4-4-4z",
  replay: "M4 4h2v5.2A7 7 0 1 1 5 12h2a5 5 0 1 0 1.3-3.4H12v2H4zM11 8.5l5 3.5-5 3.5z",
};

/** A small picture beside a word; it says nothing of its own. */
export function icon(name) {
  const space = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(space, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(space, "path");
  path.setAttribute("d", ICONS[name]);
  svg.append(path);
  return svg;
}
