/** Keeps the newest in sight while the reader is at the end of what is written, and leaves them alone elsewhere. */

import { h, icon } from "./dom.js";

/** How far, in pixels, the end may be below the window's and is at hand still; and how far above it is kept. */
const NEAR = 48;
const MARGIN = 24;

export class Tail {
  /** Goes to the newest; to be seen while it is out of sight. */
  button = h("button", { type: "button", class: "to-newest", hidden: true, onclick: () => this.start() }, icon("down"), "Newest");
  #written;
  #following = false;
  #active = false;
  #touched = false;
  #place = 0;

  /** `written` is the element that grows. */
  constructor(written) {
    this.#written = written;
    addEventListener("scroll", () => this.#scrolled(), { passive: true });
    // Who turns the wheel up means it, also where the page grows faster.
    addEventListener("wheel", (event) => event.deltaY < 0 && this.#leave(), { passive: true });
    for (const name of ["touchstart", "touchend", "touchcancel"]) {
      addEventListener(name, ({ touches }) => (this.#touched = touches.length > 0), { passive: true });
    }
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
    const below = this.#below();
    if (this.#following && !this.#touched && below > 0) scrollBy({ top: below, behavior: "instant" });
    this.button.hidden = this.#following || below <= 0;
  }

  /** How far the end is below the window's, in pixels. */
  #below() {
    const last = this.#written.lastElementChild ?? this.#written;
    return last.getBoundingClientRect().bottom + MARGIN - innerHeight;
  }

  #scrolled() {
    const up = scrollY < this.#place;
    this.#place = scrollY;
    if (!this.#active) return;
    if (this.#below() <= NEAR) this.#following = true;
    else if (up) this.#following = false;
    this.button.hidden = this.#following;
  }

  #leave() {
    if (this.#active && scrollY > 0) this.#following = false;
  }
}

const typing = (event) => event.target.closest?.("input, textarea, select, [role=tablist]") != null;
