/** A call and what came of it: its fields, the calls in it, what it said. */

import { h } from "./dom.js";
import { FieldView } from "./field.js";
import { Call, Field, Note } from "./state.js";
import { ValueView } from "./value.js";
import { KINDS, WHOLE, count, duration, failure, oneLine, ticking, title, tokens } from "./words.js";

const SHORT = 72;

/** What an LM itself wrote. */
const CHANNELS = { text: "What the model wrote", reasoning: "Reasoning", tool_call: "Tool call" };

/** Ends that are no failures of the call. */
const QUIET = { cancelled: ["cancelled", "warn"], abandoned: ["not waited for", "warn"] };

/** What is in a call, or in a run, in the order in which it came. */
export class EntriesView {
  element = h("ol", { class: "entries" });
  #entries;
  #views;
  #count = 0;

  /** `views` has the view of each call and field that is drawn, for who is told that it changed; see `Views`. */
  constructor(entries, views) {
    this.#entries = entries;
    this.#views = views;
  }

  get empty() {
    return this.#entries.length === 0;
  }

  draw() {
    for (; this.#count < this.#entries.length; this.#count++) {
      const entry = this.#entries[this.#count];
      if (entry instanceof Note) {
        this.element.append(noteRow(entry));
        continue;
      }
      const view = entry instanceof Call ? new CallView(entry, this.#views) : new FieldRow(entry, this.#views);
      this.#views.set(entry, view);
      this.element.append(view.element);
      view.draw();
    }
  }
}

class CallView {
  element;
  #call;
  #entries;
  #head;
  #time = h("span", { class: "call-time" });
  #badges = h("span", { class: "badges" });
  #details = null;
  #body = h("div", { class: "call-body" });
  #ended = false;
  #arguments = false;

  constructor(call, views) {
    this.#call = call;
    this.#entries = new EntriesView(call.entries, views);
    this.#body.append(this.#entries.element);
    const label = call.kind === "tool" ? call.name : call.name || call.kind;
    this.#head = h(
      "div",
      { class: "call-head" },
      h("span", { class: "mark", "aria-hidden": "true" }),
      h(
        "span",
        { class: "call-what" },
        h("span", { class: "call-kind" }, KINDS[call.kind] ?? call.kind),
        " ",
        h("span", { class: "call-name" }, label),
        " ",
        this.#badges,
      ),
      " ",
      this.#time,
    );
    this.element = h("li", { class: `call ${call.kind}` }, this.#head);
  }

  draw() {
    const call = this.#call;
    const running = call.seconds === null;
    this.element.classList.toggle("running", running);
    this.element.classList.toggle("failed", Boolean(call.error) && !QUIET[call.error.kind]);
    this.element.classList.toggle("discarded", call.discarded);
    if (call.arguments && !this.#arguments) {
      this.#arguments = true;
      if (Object.keys(call.arguments).length) this.#open().prepend(valueRow("Arguments", call.arguments));
    }
    this.#entries.draw();
    if (!this.#entries.empty) this.#open();
    if (!running && !this.#ended) {
      this.#ended = true;
      this.#end();
    }
    this.#badges.replaceChildren(...this.#said().map(([text, kind = ""]) => h("span", { class: `badge ${kind}` }, text)));
    this.tick(null);
  }

  /** The time it has taken, at this time of the run. */
  tick(at) {
    const { seconds, startedAt } = this.#call;
    if (seconds !== null) this.#time.textContent = duration(seconds);
    else if (at !== null) this.#time.textContent = ticking(Math.max(0, at - startedAt));
  }

  #end() {
    const { error, result } = this.#call;
    // Who is cancelled has failed in nothing; the badge says it.
    if (error && QUIET[error.kind]) return;
    if (error) this.#open().append(h("p", { class: "error-text" }, failure(error)));
    else if (result !== undefined) this.#open().append(valueRow("Result", result));
  }

  /** What it holds can be closed; a call that holds nothing is a line. */
  #open() {
    if (!this.#details) {
      const summary = h("summary");
      this.#details = h("details", { open: true }, summary, this.#body);
      this.#head.replaceWith(this.#details);
      summary.append(this.#head);
    }
    return this.#body;
  }

  #said() {
    const call = this.#call;
    const said = [];
    if (call.attempt !== null) said.push([`Attempt ${call.attempt}`]);
    if (call.discarded) said.push(["not chosen", "warn"]);
    else if (call.attempt !== null && call.parent?.chosen === call.id) said.push(["chosen", "good"]);
    const models = call.entries.filter((entry) => entry instanceof Call && entry.kind === "lm");
    if (call.kind === "predictor" && models.length > 1) said.push([`asked ${count(models.length, "time")}`, "warn"]);
    if (call.kind === "lm" && tokens(call.usage)) said.push([tokens(call.usage), "plain"]);
    if (call.cached) said.push(["from the cache", "plain"]);
    if (call.whole) said.push([WHOLE[call.whole] ?? call.whole, "plain"]);
    if (call.error) said.push(QUIET[call.error.kind] ?? ["failed", "bad"]);
    return said;
  }
}

/** A field in its call; where the answer shows it, a line that says so. */
class FieldRow {
  element = h("li", { class: "field" });
  #field;
  #views;
  #name;
  #state = h("span", { class: "field-state" });
  #view = null;

  constructor(field, views) {
    this.#field = field;
    this.#views = views;
    const name = (field.channel && CHANNELS[field.name]) || title(field.name);
    this.#name = field.candidate ? `${name} (candidate ${field.candidate + 1})` : name;
  }

  draw() {
    const elsewhere = this.#views.answers(this.#field);
    if (elsewhere) {
      this.#view = null;
      this.element.replaceChildren(h("span", { class: "field-name" }, this.#name), " ", this.#state);
    } else if (!this.#view) {
      this.#view = new FieldView(this.#field, this.#views.code.has(this.#field.name));
      const summary = h("summary", {}, h("span", { class: "field-name" }, this.#name), " ", this.#state);
      this.element.replaceChildren(h("details", { open: true }, summary, this.#view.element));
    }
    this.element.classList.toggle("elsewhere", elsewhere);
    this.#state.textContent = elsewhere ? "in the answer below" : this.#field.ended ? "" : "writing";
    this.#view?.draw();
  }
}

function noteRow(note) {
  if (note.kind === "status") return h("li", { class: "note status-note" }, h("span", {}, note.value));
  const name = note.name ? h("span", { class: "note-name" }, note.name) : null;
  const plain = typeof note.value === "string" || typeof note.value === "number";
  return h("li", { class: "note" }, name, plain ? h("span", {}, String(note.value)) : new ValueView(note.value).element);
}

/** A value under its name; on one line where it is short. */
function valueRow(name, value) {
  const line = oneLine(value, SHORT);
  const view = () => {
    const view = new ValueView(value);
    view.finish();
    return view.element;
  };
  if (typeof value !== "object" && !line.endsWith("…")) {
    return h("div", { class: "value-row" }, h("span", { class: "field-name" }, name), h("code", {}, line));
  }
  const small = JSON.stringify(value).length < 400;
  const details = h(
    "details",
    { class: "value-row", open: small },
    h("summary", {}, h("span", { class: "field-name" }, name), h("code", { class: "value-preview" }, line)),
  );
  const fill = () => {
    if (details.open && details.childElementCount === 1) details.append(view());
  };
  fill();
  details.addEventListener("toggle", fill);
  return details;
}
