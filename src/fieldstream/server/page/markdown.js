/** A text that grows, drawn as Markdown. */

import { Blocks } from "./blocks.js";
import { h } from "./dom.js";

export class MarkdownView {
  element = h("div", { class: "markdown" });
  #blocks = new Blocks();
  #open = [];
  #pending = null;

  append(text) {
    this.#blocks.append(text);
  }

  /** Draw what came since. */
  draw(final = false) {
    const { settled, open, pending, anew } = this.#blocks.take(final);
    if (open === null) {
      this.#show(pending);
      return;
    }
    for (const node of this.#open) node.remove();
    this.#pending = null;
    if (anew) this.element.replaceChildren();
    if (settled) this.element.insertAdjacentHTML("beforeend", settled);
    const before = this.element.childNodes.length;
    if (open) this.element.insertAdjacentHTML("beforeend", open);
    this.#open = [...this.element.childNodes].slice(before);
  }

  /** Text that is not rendered yet, at the end of the innermost block. */
  #show(text) {
    if (!this.#pending) {
      let end = this.#open.findLast((node) => node.nodeType === Node.ELEMENT_NODE) ?? this.element;
      while (/^(UL|OL|LI|BLOCKQUOTE|PRE|P)$/.test(end.tagName) && end.lastElementChild) end = end.lastElementChild;
      this.#pending = document.createTextNode("");
      end.append(this.#pending);
    }
    this.#pending.data = text;
  }
}
