/** Keeps the newest in sight while the reader is at the bottom of the page, and leaves them alone elsewhere. */

import { h, icon } from "./dom.js";

const NEAR = 48;

export class Tail {
  /** Goes to the newest; to be seen while it is out of sight. */
  button = h("button", { type: "button", class: "to-newest", hidden: true, onclick: () => this.start() }, icon("down"), "Newest");
  #following = false;
  #active = false;

  constructor() {
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Who turns the wheel up means it, also where the page grows faster.
    addEventListener("wheel", (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    addEventListener("keydown", (event) => ["PageUp", "Home", "ArrowUp"].includes(event.key) && !typing(event) && this.#leave());
  }

  /** Something is being written from now on: follow it. */
  start() {
    this.#active = this.#following = true;
    this.follow();
  }

  /** Nothing more will come. */
  stop() {
    this.follow();
    this.#active = false;
    this.button.hidden = true;
  }

  /** After something was drawn. */
  follow() {
    if (!this.#active) return;
    if (this.#following) scrollTo({ top: document.documentElement.scrollHeight, behavior: "instant" });
    this.button.hidden = this.#following;
  }

  #scrolled() {
    if (this.#active) this.#following = innerHeight + scrollY >= document.documentElement.scrollHeight - NEAR;
    this.button.hidden = !this.#active || this.#following;
  }

  #leave() {
    if (document.documentElement.scrollHeight > innerHeight) this.#following = false;
    this.button.hidden = !this.#active || this.#following;
  }
}

const typing = (event) => event.target.closest?.("input, textarea, select, [role=tablist]") != null;
