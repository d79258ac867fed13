/**
 * When to draw: in the next frame, and so seldom that drawing takes no more than about half of the time. So the page
 * stays quick for who uses it, however much comes and however slow the machine is.
 */
export class Frames {
  #draw;
  #frame = 0;
  #timer = 0;
  #rested = 0;
  #painted = new MessageChannel();
  #began = 0;

  constructor(draw) {
    this.#draw = draw;
    // A message that is sent in a frame arrives when it is painted.
    this.#painted.port1.onmessage = () => {
      const now = performance.now();
      this.#rested = now + (now - this.#began);
    };
  }

  /** There is something to draw. */
  ask() {
    if (this.#frame || this.#timer) return;
    const rest = this.#rested - performance.now();
    if (rest > 1) {
      this.#timer = setTimeout(() => {
        this.#timer = 0;
        this.ask();
      }, rest);
    } else this.#frame = requestAnimationFrame(this.#now);
  }

  /** Nothing more will be drawn. */
  stop() {
    cancelAnimationFrame(this.#frame);
    clearTimeout(this.#timer);
    this.#painted.port1.close();
  }

  #now = () => {
    this.#frame = 0;
    this.#began = performance.now();
    this.#draw();
    this.#painted.port2.postMessage(null);
  };
}
