/**
 * Markdown that grows: what is settled is rendered once, and only the open rest again. It draws nothing.
 *
 * In Markdown only the last block of a text can still change, once a following block has begun with a whole line. So
 * what is before that block is settled. (A table needs two.) The rest is rendered again when it has grown; a long one only when it has grown
 * by an eighth, so that all that is ever read stays about linear in the text. Meanwhile what is new is a plain `pending`
 * text. A reference that is defined after its use is put right at the end.
 */

import MarkdownIt from "./vendor/markdown-it.esm.min.mjs";

const SHORT = 2048;

const markdown = makeMarkdown();

/** Markdown without HTML and images: nothing in it is loaded, and no style is set, which the page's policy forbids. */
function makeMarkdown() {
  const md = new MarkdownIt({ html: false, linkify: true, breaks: true });
  md.disable("image");
  md.linkify.set({ fuzzyLink: false, fuzzyEmail: false, fuzzyIP: false });
  md.renderer.rules.link_open = (tokens, index, options, env, self) => {
    tokens[index].attrSet("target", "_blank");
    tokens[index].attrSet("rel", "noopener noreferrer");
    return self.renderToken(tokens, index, options);
  };
  for (const cell of ["th_open", "td_open"]) {
    md.renderer.rules[cell] = (tokens, index, options, env, self) => {
      const align = tokens[index].attrGet("style")?.split(":")[1];
      if (align) tokens[index].attrs = [["class", `align-${align}`]];
      return self.renderToken(tokens, index, options);
    };
  }
  return md;
}

/** All of a text at once. */
export const render = (text) => markdown.render(text);

export class Blocks {
  /** How many characters were read in all. */
  read = 0;
  #pieces = [];
  #tail = "";
  #pending = "";
  #whole = [];
  #env = {};
  #references = false;

  append(text) {
    this.#pieces.push(text);
  }

  /** The text so far. */
  get text() {
    return this.#whole.join("") + this.#pieces.join("");
  }

  /**
   * What is to be shown since the last time: `settled`, HTML to add for good; `open`, HTML in the place of the former
   * open rest; `pending`, text that is not rendered yet and comes at its end (then `open` is null: it stays). At the
   * end (`final`) all is settled, and `anew` says that it takes the place of everything.
   */
  take(final = false) {
    if (this.#pieces.length) {
      const text = this.#pieces.join("");
      this.#pieces = [];
      this.#whole.push(text);
      this.#pending += text;
    }
    const returned = this.#returned(final);
    if (final && (this.#references || /^ {0,3}\[[^\]]+\]:/m.test(this.#tail + this.#pending))) {
      const text = this.text;
      this.#tail = this.#pending = "";
      this.read += text.length;
      return { settled: render(text), open: "", pending: "", anew: true };
    }
    const long = this.#tail.length > SHORT && this.#pending.length < this.#tail.length / 8;
    if (long && !final) {
      const pending = this.#pending;
      this.#pending += returned;
      return { settled: "", open: null, pending, anew: false };
    }
    this.#tail += this.#pending;
    this.#pending = returned;
    return { ...this.#render(final), pending: "", anew: false };
  }

  /** Lines end in `\n` alone. A `\r` at the end may be half of an end: it is taken from what is pending, and given. */
  #returned(final) {
    const half = !final && this.#pending.endsWith("\r") ? "\r" : "";
    this.#pending = this.#pending.slice(0, this.#pending.length - half.length).replace(/\r\n?/g, "\n");
    return half;
  }

  #render(final) {
    const tail = this.#tail;
    const env = { references: { ...this.#env.references } };
    const tokens = markdown.parse(tail, env);
    this.read += tail.length;
    const html = (from, to) => markdown.renderer.render(tokens.slice(from, to), markdown.options, env);
    if (final) {
      this.#tail = "";
      return { settled: html(0), open: "" };
    }
    const cut = this.#cut(tokens, tail);
    if (!cut) return { settled: "", open: html(0) };
    const text = tail.slice(0, cut.offset);
    this.#tail = tail.slice(cut.offset);
    if (text.includes("]:")) {
      markdown.parse(text, this.#env);
      this.#references = Object.keys(this.#env.references ?? {}).length > 0;
    }
    return { settled: html(0, cut.token), open: html(cut.token) };
  }

  /** Where the last block begins whose first line is whole, as a token and as an offset; none where it is the first. */
  #cut(tokens, text) {
    const starts = [];
    tokens.forEach((token, index) => {
      if (token.level === 0 && token.nesting >= 0 && token.map) starts.push([index, token.map[0]]);
    });
    // Only the last line can be a part of one. The blocks before the last are followed by a line.
    const lines = lineOffsets(text, starts.slice(-2).map(([, line]) => line));
    const last = starts.length - 1;
    for (const at of [last, last - 1]) {
      if (at < 1) return null;
      const [token, line] = starts[at];
      const offset = lines.get(line);
      // A table is one by its second line.
      const first = text.indexOf("\n", offset);
      const whole = tokens[token].type === "table_open" && first >= 0 ? text.indexOf("\n", first + 1) : first;
      if (whole >= 0) return { token, offset };
    }
    return null;
  }
}

function lineOffsets(text, wanted) {
  const offsets = new Map();
  const most = Math.max(...wanted, 0);
  for (let line = 0, offset = 0; line <= most; line++) {
    if (wanted.includes(line)) offsets.set(line, offset);
    offset = text.indexOf("\n", offset) + 1;
    if (offset === 0) break;
  }
  return offsets;
}
