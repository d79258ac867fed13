/**
 * A run again, at the pace at which it went.
 *
 * A reader that came late got pieces of text joined into one, which has the time of its end. Such a piece is cut again
 * and spread over the time since the event before.
 */

const PIECE = 12;
const SHORTEST = 0.03;

/** The events as they may have come: each long piece of text in pieces, spread over the time that it stands for. */
export function spread(events) {
  const all = [];
  let before = 0;
  for (const event of events) {
    const { text, at } = event;
    const time = at - before;
    if (event.type === "field.delta" && typeof text === "string" && text.length > 4 * PIECE && time > SHORTEST) {
      const pieces = cut(text, Math.min(Math.ceil(text.length / PIECE), Math.ceil(time / SHORTEST)));
      pieces.forEach((piece, index) => all.push({ ...event, text: piece, at: before + (time * (index + 1)) / pieces.length }));
    } else all.push(event);
    before = Math.max(before, at);
  }
  return all;
}

/** The text in about so many pieces, none of which breaks a character. */
function cut(text, count) {
  const size = Math.ceil(text.length / count);
  const pieces = [];
  for (let start = 0; start < text.length; ) {
    let end = Math.min(text.length, start + size);
    if (end < text.length && text.charCodeAt(end - 1) >= 0xd800 && text.charCodeAt(end - 1) <= 0xdbff) end += 1;
    pieces.push(text.slice(start, end));
    start = end;
  }
  return pieces;
}

/** Plays events: `begin` is called with each beginning anew, `feed` with each event, `moved` with each new time. */
export class Replay {
  playing = false;
  speed = 1;
  at = 0;
  #events;
  #position = 0;
  #frame = 0;
  #then = 0;
  #calls;

  constructor(events, { begin, feed, moved }) {
    this.#events = spread(events);
    this.#calls = { begin, feed, moved };
  }

  get length() {
    return this.#events.at(-1)?.at ?? 0;
  }

  play() {
    if (this.#position === 0 || this.at >= this.length) this.seek(0);
    this.playing = true;
    this.#then = performance.now();
    this.#frame = requestAnimationFrame(this.#step);
    this.#calls.moved(this);
  }

  pause() {
    this.playing = false;
    cancelAnimationFrame(this.#frame);
    this.#calls.moved(this);
  }

  /** Go to this time, in seconds since the run began. */
  seek(at) {
    if (at < this.at || this.#position === 0) {
      this.#position = 0;
      this.#calls.begin();
    }
    this.at = at;
    this.#advance();
  }

  #step = (now) => {
    this.at = Math.min(this.length, this.at + ((now - this.#then) / 1000) * this.speed);
    this.#then = now;
    this.#advance();
    if (this.at >= this.length) this.pause();
    else if (this.playing) this.#frame = requestAnimationFrame(this.#step);
  };

  #advance() {
    while (this.#position < this.#events.length && this.#events[this.#position].at <= this.at) {
      this.#calls.feed(this.#events[this.#position++]);
    }
    this.#calls.moved(this);
  }
}
