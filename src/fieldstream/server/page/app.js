/** The page: choose a program, fill in its form, and watch its runs. */

import { Announcer } from "./announcer.js";
import { Api } from "./api.js";
import { askToken, showCode } from "./dialogs.js";
import { h, icon } from "./dom.js";
import { Form } from "./form.js";
import { Player } from "./player.js";
import { Recent } from "./recent.js";
import { Replay } from "./replay.js";
import { RunView } from "./run_view.js";
import { drafts, runs, theme, token } from "./store.js";
import { Tail } from "./tail.js";
import { oneLine } from "./words.js";

class Page {
  #api = new Api(askToken);
  #announcer = new Announcer(document.getElementById("announcer"));
  #recent = new Recent(this.#api);
  #programs = new Map();
  #select = document.getElementById("program");
  #stage = document.getElementById("stage");
  #tail = new Tail(this.#stage);
  #form = null;
  #view = null;
  #run = null;
  #id = null;
  /** The events of runs that were watched, with the times at which they came. */
  #seen = new Map();

  async open() {
    history.scrollRestoration = "manual"; // Nothing is there yet when a browser would do it.
    document.getElementById("recent").append(this.#recent.element);
    document.body.append(this.#tail.button);
    document.getElementById("theme").addEventListener("click", changeTheme);
    document.addEventListener("announce", (event) => this.#announcer.say(event.detail));
    this.#select.addEventListener("change", () => this.#choose(this.#select.value));
    addEventListener("hashchange", () => this.#go());
    try {
      for (const program of await this.#api.programs()) this.#programs.set(program.name, program);
    } catch (error) {
      this.#stage.replaceChildren(trouble("The server does not answer as it should.", error.message, () => location.reload()));
      return;
    }
    this.#select.replaceChildren(...[...this.#programs.keys()].map((name) => h("option", { value: name }, name)));
    document.getElementById("only").hidden = this.#programs.size < 2;
    this.#choose(this.#programs.keys().next().value);
    await Promise.all([this.#recent.load(), this.#go()]);
  }

  /** Show the form of this program, filled in with these inputs, or with what was last put in. */
  #choose(name, inputs) {
    const program = this.#programs.get(name);
    if (!program) return;
    this.#select.value = name;
    document.getElementById("program-name").textContent = name;
    document.getElementById("about").textContent = program.description ?? "";
    if (inputs) drafts.set(name, inputs);
    this.#form = new Form(program, (given) => this.#start(program, given));
    document.getElementById("form").replaceChildren(this.#form.element);
  }

  /** Go to the run that the address names. */
  async #go() {
    const id = new URLSearchParams(location.hash.slice(1)).get("run");
    if (!id || id === this.#id) return;
    this.#leave();
    this.#id = id;
    this.#recent.select(id);
    try {
      const [state, run] = await Promise.all([this.#api.state(id), this.#api.follow(id)]);
      if (this.#id !== id) return run.close();
      if (this.#programs.has(state.program)) this.#choose(state.program, state.inputs ?? undefined);
      await this.#watch(run, state.program, state.inputs ?? {}, state.outcome === null);
    } catch (error) {
      if (this.#id !== id) return;
      const gone = error.status === 404;
      this.#stage.replaceChildren(
        trouble(gone ? "This run is not there any more." : "This run cannot be followed.", gone ? "The server keeps runs for a while only." : error.message),
      );
    }
  }

  async #start(program, inputs) {
    const form = this.#form;
    form.busy(true);
    let run;
    try {
      run = await this.#api.start(program.name, inputs);
    } finally {
      form.busy(false);
    }
    this.#leave();
    this.#id = run.id;
    history.pushState(null, "", `#run=${encodeURIComponent(run.id)}`);
    this.#remember({ run: run.id, program: program.name, preview: preview(program, inputs), started_at: Date.now() / 1000, outcome: null, seconds: null });
    this.#announcer.say("Run started");
    this.#watch(run, program.name, inputs, true);
  }

  /** Show a run as it goes. */
  async #watch(run, name, inputs, live) {
    this.#run = run;
    const events = [];
    const program = this.#programs.get(name) ?? { name };
    const began = performance.now();
    let offset = null;
    const clock = (at) => {
      // A run's time is that of the newest event, and what passed since it came.
      offset = Math.max(offset ?? -Infinity, at - (performance.now() - began) / 1000);
      return offset + (performance.now() - began) / 1000;
    };
    const cancel = button("stop", "Cancel", () => this.#cancel(run, cancel, view), "danger");
    const replay = button("replay", "Replay", () => this.#replay(program, inputs, this.#seen.get(run.id)));
    const code = button("code", "Code", () => this.#code(program, inputs));
    replay.hidden = true;
    cancel.hidden = !live;
    const view = this.#show(program, inputs, clock, [cancel, replay, code]);
    if (live) this.#tail.start();
    // On a phone the run is below the form, and above the list of runs.
    const { top } = view.element.getBoundingClientRect();
    if (top < 0 || top > innerHeight / 3) this.#stage.scrollIntoView();
    try {
      for await (const event of run) {
        events.push(event);
        view.feed(event);
      }
    } catch (error) {
      if (this.#view === view) {
        view.trouble(`The connection to the server is lost: ${error.message}`, button("again", "Try again", () => this.#reopen()));
        this.#announcer.say("The connection is lost");
      }
    }
    if (run.outcome) {
      // Who comes later gets pieces joined, and knows less of their times.
      if ((this.#seen.get(run.id)?.length ?? 0) < events.length) this.#seen.set(run.id, events);
      this.#remember({ run: run.id, outcome: run.outcome, seconds: events.at(-1)?.at ?? null });
      if (cancel === document.activeElement) view.element.focus({ preventScroll: true });
      cancel.hidden = true;
      replay.hidden = false;
    }
    if (this.#view === view) {
      view.draw();
      this.#tail.stop();
    }
  }

  #show(program, inputs, clock, actions) {
    this.#view?.close();
    this.#view = new RunView({ program, inputs, clock, announce: this.#announcer.say, tail: this.#tail, actions });
    this.#stage.replaceChildren(this.#view.element);
    document.title = `${program.name} · fieldstream`;
    return this.#view;
  }

  async #cancel(run, cancel, view) {
    cancel.disabled = true;
    try {
      await run.cancel();
    } catch (error) {
      cancel.disabled = false;
      view.trouble(`It could not be cancelled: ${error.message}`);
    }
  }

  #replay(program, inputs, events) {
    let view;
    const done = () => {
      replay.pause();
      this.#reopen();
    };
    const replay = new Replay(events, {
      begin: () => {
        const code = button("code", "Code", () => this.#code(program, inputs));
        view = this.#show(program, inputs, () => replay.at, [code]);
        view.element.classList.add("replayed");
        view.element.prepend(player.element);
        this.#tail.start();
      },
      feed: (event) => view.feed(event),
      moved: () => player.draw(),
    });
    const player = new Player(replay, done);
    this.#leave();
    replay.play();
    player.focus();
    this.#announcer.say("Replay started");
  }

  /** Follow the run again from its start. */
  #reopen() {
    this.#id = null;
    this.#go();
  }

  #code(program, inputs) {
    const output = program.output ?? null;
    const type = output === null ? null : program.outputs?.properties?.[output];
    showCode({ base: this.#api.base.href, program: program.name, inputs, output, text: type?.type === "string", token: token.get() });
  }

  #remember(run) {
    runs.put(run);
    this.#recent.load().then(() => this.#recent.select(this.#id));
  }

  /** Stop following what is shown; the run goes on. */
  #leave() {
    this.#run?.close();
    this.#run = null;
    this.#tail.stop();
  }
}

function button(picture, text, onclick, kind = "") {
  return h("button", { type: "button", class: `small ${kind}`, onclick }, icon(picture), h("span", {}, text));
}

function trouble(text, detail, again = null) {
  return h("div", { class: "trouble", role: "alert" }, h("h2", {}, text), h("p", {}, detail), again && button("again", "Try again", again));
}

/** What a run was asked, in a line. */
function preview(program, inputs) {
  const name = program.input ?? Object.keys(inputs)[0];
  const value = inputs[name];
  if (value === undefined) return "";
  return oneLine(Array.isArray(value) && value.every((item) => typeof item === "string") ? value.join(", ") : value, 90);
}

function changeTheme() {
  const { dataset } = document.documentElement;
  const dark = dataset.theme ? dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  dataset.theme = dark ? "light" : "dark";
  theme.set(dataset.theme);
}

new Page().open();
