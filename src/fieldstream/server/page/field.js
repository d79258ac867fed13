/** A field of a predictor as it grows in its place, and what of it was withdrawn. */

import { h } from "./dom.js";
import { MarkdownView } from "./markdown.js";
import { ValueView } from "./value.js";
import { RESETS } from "./words.js";

const PREVIEW = 90;

export class FieldView {
  /** What was withdrawn, and then the field's value. */
  element = h("div", { class: "field-body" });
  #field;
  #change = 0;
  #piece = 0;
  #body;
  #withdrawn = null;
  #code;

  /** `code`: its text is code, and no Markdown. */
  constructor(field, code = false) {
    this.#field = field;
    this.#code = code || (field.channel && field.name === "tool_call");
    this.#renew();
  }

  /** Draw what has changed since the last time. */
  draw() {
    const { changes, ended, kind } = this.#field;
    for (; this.#change < changes.length; this.#change++, this.#piece = 0) {
      const change = changes[this.#change];
      if (change.reason) this.#withdraw(change);
      else if (change.pieces) {
        const text = change.pieces.slice(this.#piece).join("");
        this.#withdrawn = text ? null : this.#withdrawn;
        this.#append(change.path, text);
        this.#piece = change.pieces.length;
        if (this.#change === changes.length - 1) break; // More may come to it.
      } else {
        this.#withdrawn = null;
        this.#set(change.path, change.value);
      }
    }
    if (kind === "text" && this.#body instanceof MarkdownView) this.#body.draw(ended);
    else if (ended) this.#body.finish?.();
    this.element.classList.toggle("writing", !ended);
  }

  #append(path, text) {
    if (!text) return;
    if (this.#body instanceof ValueView) this.#body.append(path, text);
    else this.#body.append(text);
  }

  #set(path, value) {
    // A text that is set takes the place of what there was.
    const text = this.#field.kind === "text" && typeof value === "string" && !path.length;
    if (text || !(this.#body instanceof ValueView)) this.#renew(text ? "text" : "data");
    if (text) this.#body.append(value);
    else this.#body.set(path, value);
  }

  #renew(kind = this.#field.kind) {
    const body = kind !== "text" ? new ValueView() : this.#code ? new CodeView() : new MarkdownView();
    this.#body?.element.remove();
    this.#body = body;
    this.element.append(body.element);
  }

  #withdraw({ path, reason }) {
    let elements;
    if (path.length) elements = this.#body instanceof ValueView ? this.#body.remove(path) : [];
    else {
      if (this.#body instanceof MarkdownView) this.#body.draw(true);
      elements = [this.#body.element];
      this.#renew();
    }
    const text = elements.map(words).join(" · ").replace(/\s+/g, " ").trim();
    if (!text) return;
    if (this.#withdrawn?.reason === reason) {
      this.#withdrawn.add(elements);
      return;
    }
    this.#withdrawn = new Withdrawn(reason, path, text, elements);
    this.#body.element.before(this.#withdrawn.element);
  }
}

/** What is written in an element; of a value, its texts and scalars. */
function words(element) {
  const leaves = [...element.querySelectorAll(".string, .scalar")];
  return leaves.length ? leaves.map((leaf) => leaf.textContent).join(" · ") : element.textContent;
}

/** A text as it stands. */
class CodeView {
  #text = document.createTextNode("");
  element = h("pre", {}, h("code", {}, this.#text));

  append(text) {
    this.#text.appendData(text);
  }
}

/** What was shown and is no longer meant, with the reason. */
class Withdrawn {
  constructor(reason, path, text, elements) {
    this.reason = reason;
    this.text = h("del", { class: "withdrawn-preview" }, text.length > PREVIEW ? `${text.slice(0, PREVIEW)}…` : text);
    this.body = h("del", { class: "withdrawn-text" }, ...elements);
    const where = path.length ? ` (${path.map((key) => (typeof key === "number" ? `item ${key + 1}` : key)).join(" › ")})` : "";
    this.element = h(
      "details",
      { class: "withdrawn" },
      h("summary", {}, h("span", { class: "withdrawn-reason" }, `Withdrawn${where}: ${RESETS[reason] ?? reason}`), this.text),
      this.body,
    );
  }

  add(elements) {
    // A list is taken back from its end.
    this.body.prepend(...elements);
  }
}
