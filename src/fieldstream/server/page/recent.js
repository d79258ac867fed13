/** The list of recent runs: the server's, where it gives one, with what is remembered here. */

import { h } from "./dom.js";
import { runs } from "./store.js";
import { OUTCOMES, ago, duration } from "./words.js";

export class Recent {
  element = h("section", { class: "recent", "aria-labelledby": "recent-title" });
  #list = h("ul", { class: "recent-list" });
  #api;
  #current = null;
  #listed = true;

  constructor(api) {
    this.#api = api;
    this.element.append(h("h2", { id: "recent-title" }, "Recent runs"), this.#list);
  }

  /** Ask again which runs there are. */
  async load() {
    const mine = runs.list();
    let all = mine;
    try {
      if (this.#listed) {
        const known = new Map(mine.map((each) => [each.run, each]));
        all = (await this.#api.runs()).map((each) => ({ ...known.get(each.run), ...each }));
      }
    } catch (error) {
      // There are those that are remembered here. A server that lists none is not asked again.
      this.#listed = error.status !== 403;
    }
    this.#draw(all);
  }

  /** This run is the one that is seen. */
  select(run) {
    this.#current = run;
    for (const link of this.#list.querySelectorAll("a")) {
      if (link.dataset.run === run) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  #draw(all) {
    this.element.hidden = all.length === 0;
    this.#list.replaceChildren(
      ...all.slice(0, 20).map(({ run, program, outcome, started_at, seconds, preview }) =>
        h(
          "li",
          {},
          h(
            "a",
            { href: `#run=${encodeURIComponent(run)}`, "data-run": run },
            h("span", { class: `dot ${outcome ?? "running"}`, "aria-hidden": "true" }),
            h("span", { class: "recent-what" }, preview || program),
            h(
              "span",
              { class: "recent-how" },
              preview ? `${program} · ` : "",
              `${OUTCOMES[outcome] ?? "Running"}${outcome && seconds != null ? ` · ${duration(seconds)}` : ""} · ${ago(started_at)}`,
            ),
          ),
        ),
      ),
    );
    this.select(this.#current);
  }
}
