/** The program's answer: its fields while they are written, then what it returned. */

import { h, icon } from "./dom.js";
import { FieldView } from "./field.js";
import { alike, valueOf } from "./state.js";
import { ValueView } from "./value.js";
import { MarkdownView } from "./markdown.js";
import { copyText } from "./clipboard.js";
import { count, title } from "./words.js";

export class AnswerView {
  element = h("section", { class: "answer", "aria-labelledby": "answer-title", hidden: true });
  #state;
  #outputs;
  #main;
  #code;
  #note = h("p", { class: "answer-note" });
  #body = h("div", { class: "answer-body" });
  #rest = h("div");
  #sections = new Map();
  #call = null;
  #result = false;

  /**
   * `outputs` are the names of the program's output fields, in their order; `main` that of its main one, or null; `code`
   * those of fields that are code.
   */
  constructor(state, { outputs, main, code }) {
    this.#state = state;
    this.#outputs = outputs;
    this.#main = main;
    this.#code = code;
    const copy = h("button", { type: "button", class: "quiet", onclick: () => copyText(this.#text(), copy) }, icon("copy"), "Copy answer");
    this.element.append(
      h("header", {}, h("h3", { id: "answer-title" }, "Answer"), copy),
      this.#note,
      this.#body,
      this.#rest,
    );
  }

  /** Whether this field is shown here. */
  shows(field) {
    return field.call === this.#state.answering && !field.channel && !field.candidate && this.#outputs.includes(field.name);
  }

  draw() {
    const { answering, outcome, result } = this.#state;
    if (answering !== this.#call) {
      this.#call = answering;
      this.#clear();
      const attempt = attemptOf(answering);
      this.#note.textContent = attempt ? `From attempt ${attempt}. What the others wrote is in the steps.` : "";
    }
    if (answering) {
      for (const field of answering.fields.values()) if (this.shows(field)) this.#section(field.name, field).view.draw();
    }
    if (outcome && !this.#result) {
      this.#result = true;
      if (outcome === "completed" && result !== undefined) this.#returned(result);
    }
    this.element.hidden = !this.#sections.size && !this.#rest.childElementCount;
    this.element.classList.toggle("writing", outcome === null);
    this.element.classList.toggle("partial", outcome === "failed" || outcome === "cancelled");
    if (outcome && outcome !== "completed") this.#note.textContent = "Not finished: this is as far as it came.";
  }

  #clear() {
    this.#sections.clear();
    this.#body.replaceChildren();
  }

  /** The part for a field, in the order of the program's outputs, the main one first. */
  #section(name, field) {
    const known = this.#sections.get(name);
    if (known?.field === field) return known;
    known?.element.remove();
    return this.#place(name, field, new FieldView(field, this.#code.has(name)));
  }

  #place(name, field, view) {
    const main = name === this.#main || (this.#main === null && this.#outputs[0] === name) || name === "";
    const heading = name && name !== "answer" ? h("h4", { class: "field-name" }, title(name)) : null;
    const element = h("div", { class: main ? "output main" : "output", "data-field": name }, heading, view.element);
    const section = { element, field, view };
    this.#sections.set(name, section);
    const rank = (each) => (each === this.#main ? -1 : (this.#outputs.indexOf(each) + 1 || Infinity));
    const next = [...this.#sections.keys()].filter((each) => rank(each) > rank(name)).sort((a, b) => rank(a) - rank(b))[0];
    if (next === undefined) this.#body.append(element);
    else this.#sections.get(next).element.before(element);
    return section;
  }

  /** What the program returned has the last word. */
  #returned(result) {
    const members = result !== null && typeof result === "object" && !Array.isArray(result) ? result : { "": result };
    const own = Object.keys(members).filter((name) => !this.#aside(name));
    const others = Object.keys(members).filter((name) => !own.includes(name));
    for (const name of own) {
      const section = this.#sections.get(name);
      if (section?.field && alike(valueOf(section.field), members[name])) continue;
      section?.element.remove();
      this.#place(name, null, whole(members[name]));
    }
    if (others.length) {
      const details = h("details", { class: "others" }, h("summary", {}, `${own.length ? "Also returned: " : "Returned: "}${list(others)}`));
      details.addEventListener(
        "toggle",
        () => details.append(...others.map((name) => h("div", { class: "output" }, h("h4", { class: "field-name" }, title(name)), whole(members[name]).element))),
        { once: true },
      );
      this.#rest.replaceChildren(details);
    }
  }

  /** Whether this is no answer, but how it was come by: what the predictor wrote beside it, an agent's steps. */
  #aside(name) {
    if (name === "" || this.#outputs.includes(name)) return false;
    return name === "trajectory" || name === "reasoning" || name in (this.#call?.values ?? {});
  }

  /** The answer as a text, to be copied: what was returned, or else what was written so far. */
  #text() {
    const { outcome, result } = this.#state;
    const main = this.#main ?? this.#outputs[0];
    let value = result;
    if (outcome !== "completed" || result === undefined) {
      const written = [...this.#sections.values()].filter(({ field }) => field);
      value = valueOf((this.#sections.get(main) ?? written[0]).field);
    } else if (result !== null && typeof result === "object" && Object.hasOwn(result, main)) value = result[main];
    return typeof value === "string" ? value : JSON.stringify(value, null, 2);
  }
}

/** A value that is known whole. */
function whole(value) {
  if (typeof value === "string") {
    const view = new MarkdownView();
    view.append(value);
    view.draw(true);
    return view;
  }
  const view = new ValueView(value);
  view.finish();
  return { element: view.element, draw() {} };
}

function attemptOf(call) {
  for (let each = call; each; each = each.parent) if (each.attempt !== null) return each.attempt;
  return null;
}

const list = (names) => (names.length > 4 ? count(names.length, "value") : names.map(title).join(", "));
