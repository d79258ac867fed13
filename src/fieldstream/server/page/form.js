/** The form of a program, made from the schema of its inputs. */

import { Invalid, all, control, row } from "./controls.js";
import { h, icon } from "./dom.js";
import { classify } from "./schema.js";
import { drafts } from "./store.js";

export class Form {
  element;
  #program;
  #controls = new Map();
  #rest = null;
  #error = h("p", { class: "form-error", role: "alert", hidden: true });
  #button = h("button", { type: "submit", class: "primary" }, icon("play"), "Run");

  /** `run` is called with the inputs, when they are complete; it may throw what the server says of them. */
  constructor(program, run) {
    this.#program = program;
    const { properties = {}, required = [], additionalProperties } = program.inputs;
    const rows = Object.entries(properties).map(([name, schema]) => {
      const needed = required.includes(name);
      const names = [...Object.keys(properties).filter((each) => classify(properties[each], program.inputs).kind === "text"), program.output].filter(Boolean);
      const item = control(schema, program.inputs, { needed, names });
      this.#controls.set(name, item);
      return row(name, schema, item, needed, program.inputs);
    });
    if (additionalProperties === true) {
      const schema = { type: "object", description: "Inputs by their names." };
      this.#rest = control(schema, program.inputs, {});
      rows.push(row(Object.keys(properties).length ? "other inputs" : "inputs", schema, this.#rest, false, program.inputs));
    }
    this.element = h(
      "form",
      { class: "form", novalidate: true, "aria-label": `Inputs of ${program.name}` },
      ...(rows.length ? rows : [h("p", { class: "hint" }, "This program needs no inputs.")]),
      this.#error,
      h("div", { class: "form-end" }, this.#button, h("span", { class: "shortcut", "aria-hidden": "true" }, navigator.platform.startsWith("Mac") ? "⌘ Enter" : "Ctrl + Enter")),
    );
    this.element.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit(run);
    });
    this.element.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      this.element.requestSubmit();
    });
    this.set(drafts.get(program.name) ?? {});
  }

  /** Fill the form; what is not given gets its default. */
  set(inputs) {
    const { properties = {} } = this.#program.inputs;
    for (const [name, item] of this.#controls) item.set(inputs[name] ?? properties[name].default ?? undefined);
    if (this.#rest) {
      const others = Object.entries(inputs).filter(([name]) => !this.#controls.has(name));
      this.#rest.set(others.length ? Object.fromEntries(others) : undefined);
    }
  }

  /** While it is being started, it cannot be started again. */
  busy(busy) {
    this.#button.disabled = busy;
  }

  #read() {
    const values = all([...this.#controls.values(), ...(this.#rest ? [this.#rest] : [])]);
    const inputs = this.#rest ? { ...values[this.#controls.size] } : {};
    [...this.#controls.keys()].forEach((name, index) => {
      if (values[index] !== undefined) inputs[name] = values[index];
    });
    return inputs;
  }

  async #submit(run) {
    if (this.#button.disabled) return;
    for (const item of this.#controls.values()) item.fail(null);
    this.#say("");
    try {
      const inputs = this.#read();
      drafts.set(this.#program.name, inputs);
      await run(inputs);
    } catch (error) {
      if (!(error instanceof Invalid) && !Array.isArray(error.details)) {
        this.#say(error.message);
        return;
      }
      for (const { loc = [], msg = "" } of error.details ?? []) this.#fail(loc, msg);
      if (error instanceof Invalid) this.#say("Some inputs are not right yet.");
      else if (!this.element.querySelector("[aria-invalid=true]")) this.#say(error.message);
      else this.#say("The server did not take these inputs.");
      const wrong = this.element.querySelector("[aria-invalid=true]");
      (wrong?.matches("[role=group]") ? wrong.querySelector("input, textarea, select, button") : wrong)?.focus();
    }
  }

  #fail([name, ...path], message) {
    const item = this.#controls.get(name);
    if (item) item.fail(message, path);
    else (this.#rest ?? { fail: (text) => this.#say(text) }).fail(message, name === undefined ? path : [name, ...path]);
  }

  #say(message) {
    this.#error.textContent = message;
    this.#error.hidden = !message;
  }
}
