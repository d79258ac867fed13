/** A run on the page: what was asked, the steps it takes, its answer, and how it ended. */

import { AnswerView } from "./answer.js";
import { EntriesView } from "./call.js";
import { h } from "./dom.js";
import { Frames } from "./frames.js";
import { isCode } from "./schema.js";
import { RunState } from "./state.js";
import { ValueView } from "./value.js";
import { OUTCOMES, RESETS, count, duration, failure, oneLine, ticking, title, tokens } from "./words.js";

const TICK = 100;

/** The views of calls and fields; it also knows which fields the answer shows, and the names of those that are code. */
class Views extends Map {
  answer = null;
  code = new Set();
  answers = (field) => this.answer?.shows(field) ?? false;
}

export class RunView {
  element = h("article", { class: "run", "aria-labelledby": "run-title", tabindex: "-1" });
  state;
  #announce;
  #clock;
  #tail;
  #views = new Views();
  #entries;
  #answer;
  #frames = new Frames(() => this.draw());
  #ticker = 0;
  #pill = h("span", { class: "pill running" }, "Running");
  #elapsed = h("span", { class: "elapsed", "aria-label": "Time" });
  #status = h("p", { class: "status-line", hidden: true });
  #summary = h("summary", {}, "Steps");
  #steps = h("details", { class: "steps", open: true, hidden: true }, this.#summary);
  #end = h("div", { class: "end" });

  /**
   * `program` as the server describes it (or only its name); `inputs` as they were given, if that is known; `clock`
   * tells the time of the run now, from the newest event's; `announce` says a text to a screen reader; `tail` keeps the
   * newest in sight; `actions` are the buttons for the head.
   */
  constructor({ program, inputs, clock, announce, tail, actions }) {
    const fields = program.outputs?.properties ?? {};
    const main = program.output ?? null;
    const outputs = [...new Set([...(main ? [main] : []), ...Object.keys(fields)])];
    this.state = new RunState(main ? [main] : outputs);
    this.#views.code = new Set(outputs.filter((name) => fields[name] && isCode(fields[name], program.outputs)));
    this.#clock = clock;
    this.#announce = announce;
    this.#tail = tail;
    this.#entries = new EntriesView(this.state.entries, this.#views);
    this.#answer = this.#views.answer = new AnswerView(this.state, { outputs, main, code: this.#views.code });
    this.#steps.append(this.#entries.element);
    this.element.append(
      h(
        "header",
        { class: "run-head" },
        h("div", { class: "run-title-row" }, h("h2", { id: "run-title" }, program.name), this.#pill, this.#elapsed),
        h("div", { class: "run-actions" }, ...actions),
      ),
      asked(inputs) ?? "",
      this.#steps,
      this.#status,
      this.#answer.element,
      this.#end,
    );
    this.#ticker = setInterval(() => this.#tick(), TICK);
  }

  feed(event) {
    this.state.apply(event);
    this.#frames.ask();
  }

  /** Draw what has changed. All that came since the last frame is drawn at once. */
  draw() {
    const { state } = this;
    const { changed, news } = state.take();
    this.#entries.draw();
    for (const each of changed) this.#views.get(each)?.draw();
    if (changed.has(state)) this.#redrawAnswered();
    this.#answer.draw();
    this.#steps.hidden = this.#entries.empty;
    this.#status.hidden = !state.status;
    this.#status.textContent = state.status ?? "";
    this.#tick();
    if (state.outcome && !this.#end.childElementCount) this.#ended();
    this.#say(news);
    this.#tail.follow();
  }

  /** Something that a reader should know of the connection, or nothing. */
  trouble(message, ...actions) {
    this.element.querySelector(".trouble")?.remove();
    if (message) this.#end.before(h("div", { class: "trouble", role: "alert" }, h("p", {}, message), ...actions));
  }

  close() {
    clearInterval(this.#ticker);
    this.#frames.stop();
    this.element.remove();
  }

  /** The answer is in another call now: what fields show in their places changes. */
  #redrawAnswered() {
    for (const [entry, view] of this.#views) if (entry.changes) view.draw();
  }

  #tick() {
    const { state } = this;
    const now = state.outcome ? state.at : this.#clock(state.at);
    if (!state.outcome) for (const call of state.calls.values()) if (call.seconds === null) this.#views.get(call)?.tick(now);
    this.#elapsed.textContent = state.outcome ? duration(state.at) : ticking(now);
    const steps = [...state.calls.values()].filter((call) => call.kind !== "lm").length;
    this.#summary.textContent = state.calls.size ? `Steps · ${count(steps, "call")}` : "Steps";
    if (state.outcome) clearInterval(this.#ticker);
  }

  #ended() {
    const { outcome, error, usage, firstText, at } = this.state;
    this.#pill.textContent = OUTCOMES[outcome] ?? outcome;
    this.#pill.className = `pill ${outcome}`;
    this.element.classList.add("over");
    if (outcome === "failed") {
      this.#end.append(
        h("div", { class: "failure" }, h("h3", {}, "The run failed"), h("p", { class: "error-text" }, error ? failure(error) : "It did not say why.")),
      );
    } else if (outcome === "cancelled") {
      this.#end.append(h("p", { class: "cancelled-text" }, `Cancelled after ${duration(at)}${error && error.kind !== "cancelled" ? `: ${error.message}` : ""}.`));
    }
    const said = [["Total time", duration(at)]];
    if (firstText !== null) said.push(["First text after", duration(firstText)]);
    for (const [model, used] of Object.entries(usage)) if (tokens(used)) said.push([model, tokens(used)]);
    this.#end.append(h("dl", { class: "facts" }, ...said.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))));
  }

  #say(news) {
    for (const each of news) {
      if (each.what === "status") this.#announce(each.message);
      else if (each.what === "reset") this.#announce(`${title(each.field.name)} withdrawn: ${RESETS[each.reason] ?? each.reason}`);
      else if (each.what === "field" && this.#answer.shows(each.field)) this.#announce(`${title(each.field.name)} is finished`);
      else if (each.what === "ended") {
        const { outcome, error, at } = this.state;
        const how = (OUTCOMES[outcome] ?? outcome).toLowerCase();
        this.#announce(`Run ${how} after ${duration(at)}${outcome === "failed" && error ? `: ${failure(error)}` : ""}`);
      }
    }
  }
}

/** What was asked; a run's only text input stands for itself. */
function asked(inputs) {
  const given = Object.entries(inputs ?? {}).filter(([, value]) => value !== null && value !== "" && value !== undefined);
  if (!given.length) return null;
  return h(
    "dl",
    { class: "asked", "aria-label": "Inputs" },
    ...given.map(([name, value]) => {
      const long = typeof value === "string" ? value.length > 600 : JSON.stringify(value).length > 300;
      const view = typeof value === "string" ? h("span", { class: "string" }, value) : new ValueView(value).element;
      const shown = long ? h("details", {}, h("summary", {}, oneLine(value, 120)), view) : view;
      return h("div", {}, h("dt", {}, title(name)), h("dd", {}, shown));
    }),
  );
}
