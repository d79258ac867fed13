/** The server, as the page asks it. All addresses are relative to the page's own. */

import { HttpError, follow, stream } from "./fieldstream.js";
import { token } from "./store.js";

export class Api {
  base = new URL(".", document.baseURI);
  #askToken;

  /** `askToken(wrong)` asks the person for a token and gives it, or null. */
  constructor(askToken) {
    this.#askToken = askToken;
  }

  url(path) {
    return new URL(path, this.base).href;
  }

  async programs() {
    return (await this.#json("programs")).programs;
  }

  async runs() {
    return (await this.#json("runs")).runs;
  }

  state(run) {
    return this.#json(`runs/${encodeURIComponent(run)}`);
  }

  /** Start a program; gives its run when the server has begun it. */
  async start(program, inputs) {
    return this.#authorized(async (options) => {
      const run = stream(this.url(`programs/${encodeURIComponent(program)}/runs`), inputs, options);
      run.result.catch(() => {}); // It is told by its events.
      await run.started;
      return run;
    });
  }

  /** Follow a run from its start: each delta as it was, for a replay has its pace from their times. */
  async follow(id) {
    return this.#authorized(async (options) => {
      const run = follow(this.url(`runs/${encodeURIComponent(id)}`), { ...options, merge: false });
      run.result.catch(() => {});
      await run.started;
      return run;
    });
  }

  async #json(path) {
    return this.#authorized(async ({ token: bearer }) => {
      const headers = { Accept: "application/json", ...(bearer ? { Authorization: `Bearer ${bearer}` } : {}) };
      const response = await fetch(this.url(path), { headers });
      const body = await response.json().catch(() => null);
      if (response.ok) return body;
      const { code = "http_error", message = response.statusText, details } = body?.error ?? {};
      throw new HttpError(code, message, { status: response.status, details });
    });
  }

  async #authorized(ask) {
    for (;;) {
      const given = token.get();
      try {
        return await ask(given ? { token: given } : {});
      } catch (error) {
        if (error.status !== 401) throw error;
        // Another request may have asked for it meanwhile.
        if (token.get() === given) {
          const told = await this.#askToken(Boolean(given));
          if (told === null) throw error;
          token.set(told);
        }
      }
    }
  }
}
