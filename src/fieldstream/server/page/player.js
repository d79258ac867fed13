/** The controls of a replay: play and pause, how fast, where. */

import { h, icon } from "./dom.js";
import { ticking } from "./words.js";

const SPEEDS = [1, 4, 16];

export class Player {
  element;
  #replay;
  #toggle = h("button", { type: "button", class: "small", onclick: () => this.#switch() });
  #place = h("input", { type: "range", min: "0", max: "1000", step: "1", value: "0", "aria-label": "Place in the run" });
  #time = h("span", { class: "elapsed" });
  #speeds;

  /** `replay` is a Replay; `done` is called when the person has seen enough. */
  constructor(replay, done) {
    this.#replay = replay;
    this.#place.addEventListener("input", () => replay.seek((this.#place.value / 1000) * replay.length));
    this.#speeds = SPEEDS.map((speed) =>
      h("button", { type: "button", class: "small", "aria-label": `${speed} times as fast`, onclick: () => this.#fast(speed) }, `${speed}×`),
    );
    this.element = h(
      "div",
      { class: "player", role: "group", "aria-label": "Replay" },
      this.#toggle,
      this.#place,
      this.#time,
      h("span", { class: "speeds" }, ...this.#speeds),
      h("button", { type: "button", class: "small", onclick: done }, "End replay"),
    );
    this.#fast(replay.speed);
  }

  /** The replay has moved on. */
  draw() {
    const { playing, at, length } = this.#replay;
    if (this.#toggle.dataset.playing !== String(playing)) {
      this.#toggle.dataset.playing = String(playing);
      this.#toggle.replaceChildren(icon(playing ? "pause" : "play"), playing ? "Pause" : "Play");
    }
    this.#place.value = length ? Math.round((at / length) * 1000) : 1000;
    this.#place.setAttribute("aria-valuetext", `${ticking(at)} of ${ticking(length)}`);
    this.#time.textContent = `${ticking(at)} / ${ticking(length)}`;
  }

  focus() {
    this.#toggle.focus();
  }

  #switch() {
    if (this.#replay.playing) this.#replay.pause();
    else this.#replay.play();
  }

  #fast(speed) {
    this.#replay.speed = speed;
    this.#speeds.forEach((button, index) => button.setAttribute("aria-pressed", String(SPEEDS[index] === speed)));
  }
}
