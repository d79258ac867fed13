/** Says to a screen reader what happens: a few words at a time, never each piece of a text. */

const PAUSE = 400;

export class Announcer {
  #region;
  #waiting = [];
  #timer = 0;

  /** `region` is an element with `aria-live="polite"`. */
  constructor(region) {
    this.#region = region;
  }

  say = (text) => {
    this.#waiting.push(text.replace(/\.?\s*$/, "."));
    this.#timer ||= setTimeout(() => {
      this.#timer = 0;
      this.#region.textContent = this.#waiting.splice(0).slice(-4).join(" ");
    }, PAUSE);
  };
}
