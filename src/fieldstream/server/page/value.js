/** A value in JSON that grows, drawn in place: lists, objects and texts as they fill. */

import { h } from "./dom.js";

const ADDRESS = /^https?:\/\/[^\s<>"]+$/;

/** A part of a value: what it is, its element, and the parts in it. */
class Part {
  parts = null;
  text = null;

  constructor(value, key) {
    this.holder = h("div", { class: "part" });
    this.key = key;
    this.set(value);
  }

  set(value) {
    this.parts = null;
    this.text = null;
    if (Array.isArray(value)) {
      this.kind = "list";
      this.parts = [];
      this.element = h("ol", { class: "list" });
      value.forEach((item, index) => this.put(index, item));
    } else if (value !== null && typeof value === "object") {
      this.kind = "object";
      this.parts = new Map();
      this.element = h("dl", { class: "object" });
      for (const [key, member] of Object.entries(value)) this.put(key, member);
    } else if (typeof value === "string") {
      this.kind = "text";
      this.text = document.createTextNode(value);
      this.element = this.key === "code" ? h("pre", {}, h("code", {}, this.text)) : h("span", { class: "string" }, this.text);
    } else {
      this.kind = value === null || value === undefined ? "null" : typeof value;
      this.element = h("span", { class: `scalar ${this.kind}` }, value === undefined ? "…" : String(value));
    }
    this.holder.replaceChildren(this.element);
  }

  get(key) {
    return this.kind === "list" ? this.parts[key] : this.kind === "object" ? this.parts.get(key) : undefined;
  }

  /** The part with this key is this value. */
  put(key, value) {
    const known = this.get(key);
    if (known) known.set(value);
    else if (this.kind === "list") {
      while (this.parts.length < key) this.#add(this.parts.length, null);
      this.#add(key, value);
    } else if (this.kind === "object") this.#add(key, value);
    this.#mark();
  }

  #add(key, value) {
    const part = new Part(value, key);
    if (this.kind === "list") {
      this.parts.push(part);
      part.row = h("li", { "data-number": this.parts.length }, part.holder);
    } else {
      this.parts.set(key, part);
      part.row = h("div", { class: "member" }, h("dt", {}, key), h("dd", {}, part.holder));
    }
    this.element.append(part.row);
  }

  /** Take the part with this key away, of a list also what follows it; gives their elements. */
  remove(key) {
    let removed = [];
    if (this.kind === "list") removed = this.parts.splice(key);
    else if (this.kind === "object" && this.parts.has(key)) {
      removed = [this.parts.get(key)];
      this.parts.delete(key);
    }
    for (const { row } of removed) row.remove();
    this.#mark();
    return removed.map(({ holder }) => holder);
  }

  /** How it looks depends on what is in it: numbers stand beside each other, and an object of code alone is code. */
  #mark() {
    if (this.kind === "list") {
      const first = this.parts[0]?.kind;
      this.element.classList.toggle("inline", first === "number" || first === "boolean");
    } else if (this.kind === "object") {
      this.element.classList.toggle("code", this.parts.size === 1 && this.parts.has("code"));
    }
  }
}

export class ValueView {
  element = h("div", { class: "value" });
  #root = null;

  constructor(...value) {
    if (value.length) this.set([], value[0]);
  }

  append(path, text) {
    const part = this.#at(path);
    if (part?.kind === "text") part.text.appendData(text);
    else this.set(path, text);
  }

  set(path, value) {
    if (path.length) this.#at(path.slice(0, -1))?.put(path.at(-1), value);
    else if (this.#root) this.#root.set(value);
    else {
      this.#root = new Part(value, null);
      this.element.append(this.#root.holder);
    }
  }

  /** Take away what is at the path, in a list also what follows it; gives its elements. */
  remove(path) {
    if (path.length) return this.#at(path.slice(0, -1))?.remove(path.at(-1)) ?? [];
    const elements = this.#root ? [this.#root.holder] : [];
    this.#root?.holder.remove();
    this.#root = null;
    return elements;
  }

  /** The value is whole: texts that are addresses are links. */
  finish() {
    const waiting = this.#root ? [this.#root] : [];
    while (waiting.length) {
      const part = waiting.pop();
      if (part.parts) waiting.push(...part.parts.values());
      else if (part.kind === "text" && part.key !== "code" && ADDRESS.test(part.text.data)) link(part);
    }
  }

  #at(path) {
    let part = this.#root;
    for (const key of path) part = part?.get(key);
    return part;
  }
}

function link(part) {
  if (part.element.tagName === "A") return;
  const element = h("a", { href: part.text.data, target: "_blank", rel: "noopener noreferrer", class: "string" }, part.text);
  part.element.replaceWith(element);
  part.element = element;
}
