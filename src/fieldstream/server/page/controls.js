/**
 * The controls of a form. Each has an `element` and an `id` for its label, takes a value with `set` (`undefined` empties
 * it), and gives one with `read`: `undefined` where nothing was put in. What is wrong it says in its place and throws.
 */

import { freshId, h, icon } from "./dom.js";
import { classify, example } from "./schema.js";
import { title } from "./words.js";

/** Something that was put in is no value of its type; the control has said so. */
export class Invalid extends Error {}

/** The control for a schema. `needed`: it has to be filled in. `label` says what it is where no label does. */
export function control(schema, root, { needed = false, depth = 0, label = null, names = [] } = {}) {
  const found = classify(schema, root, depth);
  const options = { ...found, root, needed: needed && !found.nullable, depth, label, names };
  const Kind = KINDS[found.kind] ?? JsonControl;
  return new Kind(options);
}

class Control {
  id = freshId("input");
  #error = h("p", { class: "field-error", id: `${this.id}-error`, hidden: true });
  #described = "";

  constructor(options) {
    this.options = options;
  }

  /** The element that has the control in it, with the place for what is wrong. */
  build(input, ...around) {
    this.input = input;
    input.id = this.id;
    if (this.options.label) input.setAttribute("aria-label", this.options.label);
    const { needed, kind } = this.options;
    if (needed && !["boolean", "list", "object", "history"].includes(kind)) input.setAttribute("aria-required", "true");
    input.addEventListener("input", () => this.fail(null));
    this.element = h("div", { class: "control" }, ...(around.length ? around : [input]), this.#error);
  }

  /** The elements with these ids describe it. */
  describe(ids) {
    this.#described = ids;
    this.#mark();
  }

  /** Say what is wrong with it, or with what is at the path in it; `null` takes it back. */
  fail(message, path = []) {
    const where = path.length ? `${path.join(" › ")}: ` : "";
    this.#error.textContent = message ? where + message : "";
    this.#error.hidden = !message;
    this.#mark();
  }

  invalid(message) {
    this.fail(message);
    throw new Invalid(message);
  }

  #mark() {
    const wrong = !this.#error.hidden;
    const ids = [this.#described, wrong ? this.#error.id : ""].filter(Boolean).join(" ");
    if (ids) this.input?.setAttribute("aria-describedby", ids);
    else this.input?.removeAttribute("aria-describedby");
    if (wrong) this.input?.setAttribute("aria-invalid", "true");
    else this.input?.removeAttribute("aria-invalid");
  }
}

class TextControl extends Control {
  constructor(options) {
    super(options);
    this.build(h("textarea", { rows: options.depth ? 1 : 3, spellcheck: "true" }));
  }

  set(value) {
    this.input.value = value ?? "";
  }

  read() {
    if (this.input.value.trim()) return this.input.value;
    return this.options.needed ? this.invalid("Fill this in.") : undefined;
  }
}

/** One line: a text with a format, a date, a time. */
class LineControl extends Control {
  constructor(options) {
    super(options);
    const type = { date: "date", datetime: "datetime-local", time: "time" }[options.kind] ?? "text";
    this.build(h("input", { type, step: type === "text" || type === "date" ? null : "1" }));
  }

  set(value) {
    this.input.value = value == null ? "" : this.input.type === "datetime-local" ? String(value).replace(/(Z|[+-]\d\d:\d\d)$/, "") : value;
  }

  read() {
    if (this.input.validity.badInput) this.invalid("This is not complete.");
    if (this.input.value) return this.input.value;
    return this.options.needed ? this.invalid("Fill this in.") : undefined;
  }
}

class NumberControl extends Control {
  constructor(options) {
    super(options);
    const { schema, kind } = options;
    this.build(h("input", { type: "number", step: kind === "integer" ? "1" : "any", min: schema.minimum, max: schema.maximum, inputmode: kind === "integer" ? "numeric" : "decimal" }));
  }

  set(value) {
    this.input.value = value ?? "";
  }

  read() {
    const { validity, value, min, max } = this.input;
    if (validity.badInput) this.invalid("This is not a number.");
    if (!value) return this.options.needed ? this.invalid("Put in a number.") : undefined;
    if (validity.stepMismatch) this.invalid("This is not a whole number.");
    if (validity.rangeUnderflow) this.invalid(`At least ${min}.`);
    if (validity.rangeOverflow) this.invalid(`At most ${max}.`);
    return Number(value);
  }
}

class BooleanControl extends Control {
  constructor(options) {
    super(options);
    this.build(h("input", { type: "checkbox" }));
  }

  set(value) {
    this.input.checked = Boolean(value);
  }

  read() {
    return this.input.checked;
  }
}

class ChoiceControl extends Control {
  #values;

  constructor(options) {
    super(options);
    const { enum: known, const: only } = options.schema;
    this.#values = known ?? [only];
    const none = h("option", { value: "" }, options.needed ? "Choose …" : "None");
    this.build(h("select", {}, none, ...this.#values.map((value, index) => h("option", { value: index }, String(value)))));
  }

  set(value) {
    const index = this.#values.indexOf(value);
    this.input.value = index < 0 ? "" : String(index);
  }

  read() {
    if (this.input.value !== "") return this.#values[Number(this.input.value)];
    return this.options.needed ? this.invalid("Choose one.") : undefined;
  }
}

/** A value in JSON's own notation. */
class JsonControl extends Control {
  constructor(options) {
    super(options);
    const text = JSON.stringify(this.example(), null, 2);
    this.build(
      h("textarea", { rows: 4, class: "json", spellcheck: "false", autocapitalize: "off", autocomplete: "off", placeholder: text }),
    );
    this.input.addEventListener("change", () => this.check());
  }

  example() {
    return example(this.options.schema, this.options.root, 0);
  }

  set(value) {
    this.input.value = value === undefined || value === null ? "" : JSON.stringify(value, null, 2);
  }

  check() {
    try {
      this.read();
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
    }
  }

  read() {
    const text = this.input.value.trim();
    if (!text) return this.options.needed ? this.invalid("Fill this in, as JSON.") : undefined;
    let value;
    try {
      value = JSON.parse(text);
    } catch (error) {
      // Where any type will do, a text may come without quotes.
      if (!this.options.schema.type && !this.options.schema.anyOf && !/^[[{"]/.test(text)) return text;
      return this.invalid(`This is not JSON: ${error.message}`);
    }
    this.fail(null);
    return this.fitting(value);
  }

  /** The value, if it is of the right kind. */
  fitting(value) {
    const { type } = this.options.schema;
    if (type === "array" && !Array.isArray(value)) this.invalid("This has to be a list: [ … ]");
    if (type === "object" && !isObject(value)) this.invalid("This has to be an object: { … }");
    return value;
  }
}

const isObject = (value) => value !== null && typeof value === "object" && !Array.isArray(value);

/** Earlier turns of a conversation, of which a `dspy.History` is made: a list of the fields of each. */
class HistoryControl extends JsonControl {
  example() {
    const { names } = this.options;
    return [Object.fromEntries((names.length ? names : ["question", "answer"]).map((name) => [name, "…"]))];
  }

  set(value) {
    super.set(value?.messages?.length ? value.messages : undefined);
  }

  read() {
    if (this.input.value.trim()) return super.read();
    return this.options.needed ? { messages: [] } : undefined;
  }

  fitting(value) {
    const messages = Array.isArray(value) ? value : value?.messages;
    if (!Array.isArray(messages) || !messages.every(isObject)) this.invalid("This has to be a list of objects, one for each turn.");
    return { messages };
  }
}

class ListControl extends Control {
  #rows = [];
  #list = h("ol", { class: "list-rows" });

  constructor(options) {
    super(options);
    const add = h("button", { type: "button", class: "small", onclick: () => this.#add().focus() }, icon("plus"), "Add");
    const group = h("div", { class: "list-editor", role: "group" });
    this.build(group, group);
    group.append(this.#list, add);
  }

  set(value) {
    this.#rows = [];
    this.#list.replaceChildren();
    for (const item of Array.isArray(value) ? value : []) this.#add(item);
    if (!this.#rows.length) this.#add();
  }

  read() {
    const values = all(this.#rows.map(({ item }) => item)).filter((value) => value !== undefined);
    return values.length || this.options.needed ? values : undefined;
  }

  fail(message, path = []) {
    const row = this.#rows[path[0]];
    if (row) row.item.fail(message, path.slice(1));
    else super.fail(message, path);
  }

  #add(value, before = null) {
    const { schema, root, depth } = this.options;
    const item = control(schema.items, root, { depth: depth + 1, label: "Item" });
    item.set(value);
    const remove = h("button", { type: "button", class: "quiet", onclick: () => this.#remove(row) }, icon("close"));
    const element = h("li", {}, item.element, remove);
    const row = { item, element, remove };
    const index = before ? this.#rows.indexOf(before) + 1 : this.#rows.length;
    this.#rows.splice(index, 0, row);
    this.#list.insertBefore(element, this.#list.children[index] ?? null);
    element.addEventListener("keydown", (event) => this.#key(event, row));
    this.#label();
    return first(element);
  }

  #remove(row) {
    const index = this.#rows.indexOf(row);
    this.#rows.splice(index, 1);
    row.element.remove();
    this.#label();
    const next = this.#rows[Math.min(index, this.#rows.length - 1)];
    (next ? first(next.element) : this.input.querySelector(":scope > button"))?.focus();
    this.input.dispatchEvent(new Event("input", { bubbles: true }));
  }

  /** Enter goes on to the next item, and makes it where there is none. */
  #key(event, row) {
    if (event.key !== "Enter" || event.shiftKey || event.ctrlKey || event.metaKey || event.isComposing) return;
    if (!event.target.matches("textarea:not(.json), input")) return;
    if (event.target !== row.item.input) return;
    event.preventDefault();
    const next = this.#rows[this.#rows.indexOf(row) + 1];
    (next ? first(next.element) : this.#add(undefined, row)).focus();
  }

  #label() {
    this.#rows.forEach(({ item, remove }, index) => {
      item.input.setAttribute("aria-label", `Item ${index + 1}`);
      remove.setAttribute("aria-label", `Remove item ${index + 1}`);
    });
  }
}

const first = (element) => element.querySelector("textarea, input, select, button");

/** A model: its members, each with its label. One that may be left out can be added. */
class ObjectControl extends Control {
  #members = new Map();
  #toggle = null;
  #group = h("div", { class: "object-editor", role: "group" });

  constructor(options) {
    super(options);
    const { needed, depth, root, schema, nullable } = options;
    this.build(this.#group, this.#group);
    const fields = h("div", { class: "object-fields" });
    for (const [name, each] of Object.entries(schema.properties)) {
      const member = control(each, root, { depth: depth + 1, needed: (schema.required ?? []).includes(name) });
      this.#members.set(name, member);
      fields.append(row(name, each, member, (schema.required ?? []).includes(name), root));
    }
    this.fields = fields;
    if (!needed && (nullable || depth === 0)) {
      this.#toggle = h("button", { type: "button", class: "small", "aria-expanded": "false", onclick: () => this.#switch(fields.hidden) });
      this.#group.append(this.#toggle);
      this.#switch(false);
    }
    this.#group.append(fields);
  }

  set(value) {
    if (this.#toggle) this.#switch(value != null);
    for (const [name, member] of this.#members) member.set(value?.[name] ?? this.options.schema.properties[name].default ?? undefined);
  }

  read() {
    if (this.fields.hidden) return undefined;
    const values = all([...this.#members.values()]);
    return Object.fromEntries([...this.#members.keys()].map((name, index) => [name, values[index]]).filter(([, value]) => value !== undefined));
  }

  fail(message, path = []) {
    const member = this.#members?.get(path[0]);
    if (member) member.fail(message, path.slice(1));
    else super.fail(message, path);
  }

  #switch(open) {
    this.fields.hidden = !open;
    this.#toggle.setAttribute("aria-expanded", String(open));
    this.#toggle.replaceChildren(icon(open ? "close" : "plus"), open ? "Leave out" : "Add");
  }
}

/** What all of them give; all say what is wrong before it is thrown. */
export function all(controls) {
  let wrong = null;
  const values = controls.map((each) => {
    try {
      return each.read();
    } catch (error) {
      if (!(error instanceof Invalid)) throw error;
      wrong ??= error;
      return undefined;
    }
  });
  if (wrong) throw wrong;
  return values;
}

/** A control under its label, with what is said of it. */
export function row(name, schema, item, needed, root) {
  const { schema: own, kind } = classify(schema, root);
  const hint = schema.description ?? (kind === "history" ? "Earlier turns of the conversation." : own.description) ?? "";
  const hintId = `${item.id}-hint`;
  const grouped = kind === "list" || kind === "object";
  const empty = kind === "history" || kind === "list"; // It may be left empty, and means that.
  const words = [title(name), kind !== "boolean" && h("span", { class: "need" }, !needed ? "optional" : empty ? "" : "required")];
  const label = grouped ? h("span", { class: "label", id: `${item.id}-label` }, ...words) : h("label", { class: "label", for: item.id }, ...words);
  if (grouped) item.input.setAttribute("aria-labelledby", label.id);
  const told = kind === "json" || kind === "history" ? [hint.replace(/\s*\.?$/, "."), "As JSON."].filter((each) => each !== ".").join(" ") : hint;
  if (told) item.describe(hintId);
  const said = told ? h("p", { class: "hint", id: hintId }, told) : null;
  if (kind === "boolean") return h("div", { class: "form-row check" }, item.element, h("div", {}, label, said));
  return h("div", { class: "form-row" }, label, said, item.element);
}

const KINDS = {
  text: TextControl,
  line: LineControl,
  date: LineControl,
  datetime: LineControl,
  time: LineControl,
  integer: NumberControl,
  number: NumberControl,
  boolean: BooleanControl,
  choice: ChoiceControl,
  list: ListControl,
  object: ObjectControl,
  history: HistoryControl,
};
