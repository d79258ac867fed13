/**
 * Runs DSPy programs that a fieldstream server serves, and reads what they write while they write it.
 *
 *     import { stream } from "./fieldstream.js";
 *
 *     const run = stream("/programs/qa", { question: "Why is the sky blue?" });
 *     for await (const { text } of run.text("answer")) output.textContent += text;
 *     const { sources } = await run.result;
 *
 * For browsers, Node (18 and later), Deno and Bun; it stands on `fetch` alone. `fieldstream.d.ts` has the types.
 */

/** What this module throws. `code` is for programs, `message` for people. */
export class FieldstreamError extends Error {
  constructor(code, message, members = {}) {
    super(message);
    this.name = new.target.name;
    this.code = code;
    Object.assign(this, members);
  }
}

/** The server answered with an error instead of a stream: `status`, `code`, `message`, `details`, `retryAfter`. */
export class HttpError extends FieldstreamError {}

/** The connection to the server is gone, and could not be made again. `run` is the run's id, if it is known. */
export class ConnectionError extends FieldstreamError {}

/** The program failed: `kind` is the name of its exception's class. */
export class ProgramError extends FieldstreamError {}

/** The run was cancelled, so that it has no result. */
export class CancelledError extends FieldstreamError {}

/**
 * Start a program and follow its run. The url is the program's (`/programs/qa`) or that of its runs
 * (`/programs/qa/runs`); the run begins at once.
 */
export function stream(url, inputs, options = {}) {
  const start = absolute(url);
  start.pathname = start.pathname.replace(/\/+$/, "").replace(/\/runs$/, "") + "/runs";
  if (options.cancelOnDisconnect) start.searchParams.set("cancel_on_disconnect", "1");
  return new Run(options, { start, inputs });
}

/** Follow a run that was started before, wherever that was. The url is the run's (`/runs/<id>`), as in `run.url`. */
export function follow(url, options = {}) {
  const run = absolute(url);
  run.pathname = run.pathname.replace(/\/+$/, "").replace(/\/events$/, "");
  run.search = "";
  return new Run(options, { run });
}

/**
 * What a field's value is after one more of its events (`field.delta`, `field.reset`); `undefined`: there is none yet.
 * Containers are changed in place, so that it costs no more than what changes.
 */
export function apply(value, event) {
  const path = event.path ?? [];
  if (event.type === "field.reset") return withdrawn(value, path);
  if (event.type !== "field.delta") return value;
  const holder = path.length === 0 ? undefined : at(value, path.slice(0, -1));
  const key = path.at(-1);
  let next;
  if ("value" in event) {
    next = typeof event.value === "object" ? structuredClone(event.value) : event.value;
  } else {
    const known = path.length === 0 ? value : own(holder, key);
    next = typeof known === "string" ? known + event.text : event.text;
  }
  if (path.length === 0) return next;
  if (Array.isArray(holder)) {
    while (holder.length < key) holder.push(null);
    holder[key] = next;
  } else if (holder !== null && typeof holder === "object") {
    // Not by assignment: an LM may write a member called "__proto__".
    Object.defineProperty(holder, key, { value: next, writable: true, enumerable: true, configurable: true });
  }
  return value;
}

function withdrawn(value, path) {
  if (path.length === 0) return undefined;
  const holder = at(value, path.slice(0, -1));
  const key = path.at(-1);
  if (Array.isArray(holder)) holder.splice(key);
  else if (holder !== null && typeof holder === "object") delete holder[key];
  return value;
}

function at(value, path) {
  for (const key of path) value = own(value, key);
  return value;
}

function own(holder, key) {
  return holder !== null && typeof holder === "object" && Object.hasOwn(holder, key) ? holder[key] : undefined;
}

/** A run of a program. Any number of readers may read it, each from its beginning, also after its end. */
export class Run {
  /** The run's id, which nobody can guess; `null` until the server has said it. */
  id = null;
  /** Where the run is found again, with `follow`; `null` until `id` is known. */
  url = null;
  /** How the run ended ("completed", "failed", "cancelled"); `null` while it goes on. */
  outcome = null;
  /** What the LMs have used, by model; known at the end. */
  usage = {};

  #options;
  #source;
  #last;
  #events = [];
  #snapshots = new Map();
  #known = { calls: new Set(), ended: new Set(), fields: new Set() };
  #end = null; // What the server says of the end: `run.ended`, or the state of a run that had ended before.
  #stopped = null; // { error } when nothing more will come; `error` is why, if that is not the run's end or `close()`.
  #closing = new AbortController();
  #news = deferred();
  #began = deferred();
  #progress = false;
  #pause = 0; // milliseconds that the server asked to wait before the next try

  constructor(options, source) {
    this.#options = { retries: 8, backoff: 500, maxBackoff: 10_000, silence: 60_000, ...options };
    this.#source = source;
    this.#last = options.after ?? -1;
    if (source.run) this.#place(source.run, decodeURIComponent(source.run.pathname.split("/").at(-1)));
    const { signal } = this.#options;
    const abort = () => this.#stop(signal.reason);
    if (signal?.aborted) abort();
    else {
      signal?.addEventListener("abort", abort, { once: true });
      this.#closing.signal.addEventListener("abort", () => signal?.removeEventListener("abort", abort), { once: true });
      this.#follow().then(
        () => this.#stop(),
        (error) => this.#stop(error),
      );
    }
  }

  /** The run's id, when the server has begun it; rejects where it did not. */
  get started() {
    return this.#began.promise;
  }

  /** What the program returned; rejects with a `ProgramError`, or a `CancelledError`, or with what broke the reading. */
  get result() {
    return this.#result();
  }

  /** Wait for the end, and say how the run ended. Rejects only where the reading of it broke. */
  get done() {
    return this.#done();
  }

  async #done() {
    while (this.#stopped === null) await this.#news.promise;
    if (this.#end === null) throw this.#stopped.error ?? closed();
    return this.outcome;
  }

  async #result() {
    await this.#done();
    this.#throwFailure();
    if (this.outcome === "cancelled") {
      throw new CancelledError("cancelled", this.#end.error?.message ?? "the run was cancelled", { run: this.id });
    }
    return this.#end.result;
  }

  #throwFailure() {
    if (this.outcome === "failed") {
      const { kind, message } = this.#end.error ?? { kind: "error", message: "the program failed" };
      throw new ProgramError("program_failed", message, { kind, run: this.id });
    }
  }

  /** End the run, wherever it is. Its readers get the closing event. */
  async cancel() {
    await this.started;
    let response;
    for (let tries = 0; ; tries++) {
      try {
        response = await this.#fetch(this.url, { method: "DELETE" });
        break;
      } catch (error) {
        if (tries >= this.#options.retries) throw this.#lost("it could not be cancelled", error);
        await sleep(this.#delay(tries));
      }
    }
    if (!response.ok) throw await httpError(response);
    await response.body?.cancel();
  }

  /** Stop following. The run goes on. */
  close() {
    this.#stop();
  }

  /** The events after the one with this `seq`, until the closing one; never throws the program's error. */
  async *events({ after = -1 } = {}) {
    for await (const batch of this.#batches()) {
      for (const event of batch) if (event.seq > after) yield event;
    }
  }

  [Symbol.asyncIterator]() {
    return this.events();
  }

  /**
   * The text of a field as it is written; of several calls, one after the other. The field is named "answer", or
   * "extract.predict/answer" where several predictors have it. At its end it throws the program's error.
   */
  async *text(field) {
    const reader = new TextReader(field);
    for await (const batch of this.#batches()) {
      for (const event of this.#read(batch)) yield* reader.feed(event);
    }
    this.#throwFailure();
  }

  /**
   * The value of a field so far, as it is written; of several calls, one after the other. A slow reader gets the
   * newest. It is live, and grows further: take a copy (`structuredClone`) to keep it. Ends as `text` does.
   */
  async *values(field) {
    const reader = new ValueReader(field);
    let position = 0;
    for (;;) {
      // What came while the last value was looked at.
      const batch = this.#events.slice(position);
      position += batch.length;
      for (const event of this.#read(batch)) reader.feed(event);
      if (reader.news) yield reader.take();
      else if (batch.length === 0) {
        if (this.#stopped !== null) break;
        await this.#news.promise;
      }
    }
    if (this.#stopped.error) throw this.#stopped.error;
    this.#throwFailure();
  }

  /** What there is, and then what comes, in arrays of events. */
  async *#batches() {
    for (let position = 0; ; ) {
      const batch = this.#events.slice(position);
      position += batch.length;
      if (batch.length > 0) yield batch;
      else if (this.#stopped === null) await this.#news.promise;
      else break;
    }
    if (this.#stopped.error) throw this.#stopped.error;
  }

  /** The same with each snapshot as the events that it stands for. */
  *#read(events) {
    for (const event of events) {
      const stands = this.#snapshots.get(event);
      if (stands) yield* stands;
      else yield event;
    }
  }

  // Following

  async #follow() {
    let response = this.#source.start ? await this.#start() : await this.#resume(0);
    for (let tries = 0; response !== null; tries++) {
      this.#progress = false;
      const broken = await this.#receive(response);
      if (this.#end !== null || this.#closing.signal.aborted) return;
      if (this.#progress) tries = 0;
      if (this.id === null) {
        throw new ConnectionError(
          "not_started",
          "the connection broke before the server said the run's id, so that it cannot be followed; " +
            "it may have been started, and was not started again",
          { run: null, cause: broken },
        );
      }
      response = await this.#resume(tries + 1, broken);
    }
  }

  async #start() {
    let response;
    try {
      response = await this.#fetch(this.#source.start, {
        method: "POST",
        headers: { "Content-Type": "application/json" },
        body: JSON.stringify(this.#source.inputs ?? {}),
      });
    } catch (cause) {
      throw new ConnectionError(
        "not_started",
        "the connection failed before the server answered; the run may have been started, and was not started again",
        { run: null, cause },
      );
    }
    if (!response.ok) throw await httpError(response);
    checkStream(response);
    const id = response.headers.get("X-Fieldstream-Run");
    if (id) this.#place(this.#runUrl(id), id);
    return response;
  }

  /** The stream of what comes after the last event; `null` where the run has ended and nothing does. */
  async #resume(tries, cause) {
    for (; ; tries++) {
      if (tries > this.#options.retries) throw this.#lost(`${this.#options.retries} tries in a row failed`, cause);
      if (tries > 0) await sleep(Math.max(this.#delay(tries - 1), this.#pause), this.#closing.signal);
      this.#pause = 0;
      let response;
      try {
        response = await this.#fetch(this.#eventsUrl(), {
          headers: this.#last >= 0 ? { "Last-Event-ID": String(this.#last) } : {},
        });
      } catch (error) {
        this.#closing.signal.throwIfAborted();
        cause = error;
        continue;
      }
      if (response.status === 204) {
        await this.#endedBefore();
        return null;
      }
      if (response.ok) {
        checkStream(response);
        this.#began.resolve(this.id);
        return response;
      }
      const error = await httpError(response);
      if (response.status < 500 && response.status !== 429 && response.status !== 408) throw error;
      cause = error;
      this.#pause = (error.retryAfter ?? 0) * 1000;
    }
  }

  /** Read a stream to its end; gives what broke it, if anything did. */
  async #receive(response) {
    const reader = response.body.getReader();
    const decoder = new TextDecoder();
    const blocks = new ServerSentEvents();
    const stop = () => reader.cancel().catch(() => {});
    this.#closing.signal.addEventListener("abort", stop, { once: true });
    const { silence } = this.#options;
    let timer;
    try {
      for (;;) {
        // Servers say something now and then. A connection without a word is dead, though nobody has said so.
        let silent;
        if (silence) timer = setTimeout(() => ((silent = new Error(`no word for ${silence} ms`)), stop()), silence);
        let chunk;
        try {
          chunk = await reader.read();
        } catch (error) {
          return error;
        } finally {
          clearTimeout(timer);
        }
        if (chunk.done) return silent;
        let took = false;
        for (const block of blocks.feed(decoder.decode(chunk.value, { stream: true }))) {
          took = this.#take(parsed(block.data)) || took;
          if (this.#end !== null) break;
        }
        if (took) this.#wake();
        if (this.#end !== null) return undefined;
      }
    } finally {
      this.#closing.signal.removeEventListener("abort", stop);
      stop();
    }
  }

  /** Take an event; `false` for one that was there before. */
  #take(event) {
    // A snapshot is never a repetition: where it comes, the server takes our place in the run for none. The closing event
    // is one of what was not there before.
    if (event.seq <= this.#last && event.type !== "run.snapshot" && event.type !== "run.ended") return false;
    this.#last = event.seq;
    this.#progress = true;
    if (this.id === null && typeof event.run === "string") this.#place(this.#runUrl(event.run), event.run);
    if (event.type === "run.snapshot") this.#snapshots.set(event, standsFor(event, this.#known));
    else note(event, this.#known);
    this.#events.push(event);
    if (event.type === "run.ended") this.#finish(event);
    return true;
  }

  async #endedBefore() {
    const response = await this.#fetch(this.url, { headers: { Accept: "application/json" } });
    if (!response.ok) throw await httpError(response);
    this.#began.resolve(this.id);
    this.#finish(await response.json());
  }

  #finish(end) {
    this.#end = end;
    this.outcome = end.outcome;
    this.usage = end.usage ?? {};
  }

  #stop(error) {
    if (this.#stopped !== null) return;
    this.#stopped = { error };
    this.#began.reject(error ?? closed()); // which does nothing where it has begun
    this.#closing.abort(error);
    this.#wake();
  }

  #wake() {
    const { resolve } = this.#news;
    this.#news = deferred();
    resolve();
  }

  #place(url, id) {
    this.id = id;
    this.url = String(url);
    if (this.#source.start) this.#began.resolve(id);
  }

  #runUrl(id) {
    const url = new URL(this.#source.start);
    url.pathname = url.pathname.replace(/\/programs\/[^/]+\/runs$/, "") + `/runs/${encodeURIComponent(id)}`;
    url.search = "";
    return url;
  }

  #eventsUrl() {
    const url = new URL(`${this.url}/events`);
    if (this.#options.snapshot && this.#last < 0) url.searchParams.set("snapshot", "1");
    if (this.#options.merge === false) url.searchParams.set("merge", "0");
    return url;
  }

  #delay(tries) {
    // As random as can be, so that readers who lost one server do not all come back at once.
    return Math.random() * Math.min(this.#options.maxBackoff, this.#options.backoff * 2 ** tries);
  }

  #lost(what, cause) {
    const why = cause?.message ? ` (the last one: ${cause.message})` : "";
    return new ConnectionError("connection_lost", `lost the connection to run ${this.id}: ${what}${why}`, {
      run: this.id,
      cause,
    });
  }

  #fetch(url, init) {
    const { fetch = globalThis.fetch, token, credentials } = this.#options;
    const headers = new Headers(this.#options.headers);
    for (const [name, value] of Object.entries({ Accept: "text/event-stream", ...init.headers })) {
      headers.set(name, value);
    }
    if (token) headers.set("Authorization", `Bearer ${token}`);
    const members = { ...init, headers };
    if (credentials) members.credentials = credentials;
    if (init.method !== "DELETE") members.signal = this.#closing.signal;
    return fetch(String(url), members);
  }
}

/**
 * Server-sent events (WHATWG HTML, section 9.2), read from any pieces of a stream's text: `feed` gives the blocks that
 * it completes. A block without data is none.
 */
export class ServerSentEvents {
  #line = []; // The pieces of a line that has not ended.
  #return = false; // Whether the last piece ended in CR, to which an LF may belong.
  #data = [];
  #event = "";
  #id = "";

  feed(text) {
    const blocks = [];
    let from = this.#return && text.startsWith("\n") ? 1 : 0;
    if (text !== "") this.#return = text.endsWith("\r");
    const ends = /\r\n|\r|\n/g;
    ends.lastIndex = from;
    for (let end; (end = ends.exec(text)) !== null; from = ends.lastIndex) {
      this.#line.push(text.slice(from, end.index));
      const line = this.#line.join("");
      this.#line = [];
      if (line !== "") this.#take(line);
      else {
        if (this.#data.length) blocks.push({ id: this.#id, event: this.#event, data: this.#data.join("\n") });
        this.#data = [];
        this.#event = "";
      }
    }
    if (from < text.length) this.#line.push(text.slice(from));
    return blocks;
  }

  #take(line) {
    const colon = line.indexOf(":");
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + (line[colon + 1] === " " ? 2 : 1));
    if (name === "data") this.#data.push(value);
    else if (name === "event") this.#event = value;
    else if (name === "id" && !value.includes("\0")) this.#id = value;
  }
}

// One field's readers

/**
 * The calls that write one field, read one after the other, in the order in which they began. Where a module is tried
 * several times and one try is chosen (`dspy.BestOfN`), all tries are read, and in the end, if the chosen one is not
 * the last, that one again.
 */
class FieldCalls {
  order = [];
  #predictor;
  #field;
  #open;
  #again;
  #meant = new Set();
  #calls = new Map();
  #kept = new Map();
  attempts = new Attempts();

  constructor(name, open, again) {
    const slash = name.lastIndexOf("/");
    this.#predictor = slash < 0 ? null : name.slice(0, slash);
    this.#field = name.slice(slash + 1);
    this.#open = open;
    this.#again = again;
  }

  /** The call whose field the event is about: its first candidate's, or the call's end. */
  concerned(event) {
    switch (event.type) {
      case "field.delta":
      case "field.reset":
      case "field.ended":
        return event.field === this.#field && !event.candidate ? this.#calls.get(event.call) : undefined;
      case "field.started":
        if (event.field === this.#field && !event.candidate && this.#meant.has(event.call)) {
          const call = this.#open(event, this.attempts.writes(event.call));
          this.#calls.set(event.call, call);
          this.order.push(call);
          return call;
        }
        return undefined;
      case "call.started":
        this.attempts.started(event);
        if (event.kind === "predictor" && (this.#predictor ?? event.name) === event.name) this.#meant.add(event.call);
        return undefined;
      case "call.ended":
        return this.#end(event);
      default:
        return undefined;
    }
  }

  #end(event) {
    this.#meant.delete(event.call);
    const call = this.#calls.get(event.call);
    this.#calls.delete(event.call);
    if (call) {
      call.ended = true;
      if (this.attempts.undecided) this.#kept.set(call.id, call);
    }
    const rerun = this.attempts.ended(event);
    if (rerun) {
      let { withdrawn } = rerun;
      for (const id of rerun.restored.length ? rerun.restored : [""]) {
        const again = this.#again(this.#kept.get(id), withdrawn);
        if (again) {
          again.ended = true;
          this.order.push(again);
        }
        withdrawn = [];
      }
    }
    if (!this.attempts.undecided) this.#kept.clear();
    return call;
  }
}

/** Follows the attempts of a run: a following one takes the place of what the one before showed of the field. */
class Attempts {
  #parents = new Map();
  #choosers = new Map();

  get undecided() {
    return this.#choosers.size > 0;
  }

  started({ call, parent, attempt }) {
    this.#parents.set(call, parent);
    if (attempt == null || parent == null) return;
    if (!this.#choosers.has(parent)) this.#choosers.set(parent, { attempts: new Map(), shown: null });
    this.#choosers.get(parent).attempts.set(call, []);
  }

  /** This call begins to show the field; gives the calls whose text is withdrawn by that. */
  writes(call) {
    const withdrawn = new Set();
    for (const [chooser, attempt] of this.#enclosing(call)) {
      if (chooser.shown !== null && chooser.shown !== attempt) {
        for (const each of chooser.attempts.get(chooser.shown)) withdrawn.add(each);
      }
      chooser.shown = attempt;
      chooser.attempts.get(attempt).push(call);
    }
    return [...withdrawn];
  }

  /** A call ended. Where it has chosen another attempt than the one that is shown, this is what changes. */
  ended(event) {
    const enclosing = this.#enclosing(event.call);
    this.#parents.delete(event.call);
    const chooser = this.#choosers.get(event.call);
    this.#choosers.delete(event.call);
    if (!chooser) return null;
    const choice = event.error ? chooser.shown : (event.chosen ?? null); // Who fails leaves what it showed.
    const chosen = chooser.attempts.get(choice) ?? [];
    const discarded = new Set([...chooser.attempts.values()].flat().filter((call) => !chosen.includes(call)));
    for (const [outer, attempt] of enclosing) {
      const calls = outer.attempts.get(attempt);
      outer.attempts.set(attempt, calls.filter((call) => !discarded.has(call)));
    }
    if (chooser.shown === null || chooser.shown === choice) return null;
    return { withdrawn: chooser.attempts.get(chooser.shown), restored: chosen };
  }

  #enclosing(call) {
    const found = [];
    for (let parent; (parent = this.#parents.get(call)) != null; call = parent) {
      const chooser = this.#choosers.get(parent);
      if (chooser?.attempts.has(call)) found.push([chooser, call]);
    }
    return found;
  }
}

class TextCall {
  kept = [];
  unread = [];
  reset = null;
  withdrawn = [];
  ended = false;

  constructor(id, kind) {
    this.id = id;
    this.kind = kind;
  }

  write(text) {
    this.unread.push({ text, call: this.id, reset: this.reset, withdrawn: this.withdrawn });
    this.reset = null;
    this.withdrawn = [];
    this.kept.push(text);
  }

  withdraw(reason, calls) {
    this.kept = [];
    if (this.reset !== "rerun") this.reset = reason;
    this.withdrawn = [...new Set([...this.withdrawn, ...calls])];
  }

  read() {
    if (this.ended && this.reset !== null) this.write(""); // Nothing took the place of what was withdrawn.
    const { unread } = this;
    this.unread = [];
    return unread;
  }
}

/** Events in, one field's text out. A field that is no text comes once, when its call ends, as JSON. */
class TextReader {
  #field;
  #calls;

  constructor(name) {
    this.#field = name.slice(name.lastIndexOf("/") + 1);
    this.#calls = new FieldCalls(
      name,
      (event, withdrawn) => this.#open(new TextCall(event.call, event.kind ?? "text"), withdrawn),
      (kept, withdrawn) => {
        const call = this.#open(new TextCall(kept?.id ?? "", "text"), withdrawn);
        if (kept?.kept.length) call.write(kept.kept.join(""));
        return call;
      },
    );
  }

  *feed(event) {
    const call = this.#calls.concerned(event);
    if (call?.kind === "text") {
      if (event.type === "field.delta") call.write(event.text ?? "");
      else if (event.type === "field.reset") call.withdraw(event.reason, [call.id]);
    } else if (call && event.type === "call.ended" && Object.hasOwn(event.fields ?? {}, this.#field)) {
      call.write(JSON.stringify(event.fields[this.#field]));
    }
    for (let front; (front = this.#calls.order[0]) !== undefined; this.#calls.order.shift()) {
      yield* front.read();
      if (!front.ended) break;
    }
  }

  #open(call, withdrawn) {
    if (withdrawn.length) call.withdraw("rerun", withdrawn);
    return call;
  }
}

/** Events in, one field's value out. */
class ValueReader {
  #field;
  #calls;

  constructor(name) {
    this.#field = name.slice(name.lastIndexOf("/") + 1);
    this.#calls = new FieldCalls(
      name,
      (event) => ({ id: event.call, value: undefined, changed: false, ended: false, final: undefined }),
      (kept) => kept,
    );
  }

  /** Whether there is something to see that was not taken. */
  get news() {
    const front = this.#front();
    return front !== undefined && (front.ended || (front.changed && front.value !== undefined));
  }

  feed(event) {
    const call = this.#calls.concerned(event);
    if (!call) return;
    if (event.type === "field.delta" || event.type === "field.reset") {
      call.value = apply(call.value, event);
      call.changed = true;
    } else if (event.type === "call.ended") {
      if (!event.error && call.value === undefined) call.value = own(event.fields, this.#field); // An empty text, say.
      call.final = event.error && !call.changed ? undefined : call.value;
    }
  }

  take() {
    const front = this.#front();
    front.changed = false;
    if (!front.ended) return front.value;
    this.#calls.order.shift();
    return front.final;
  }

  /** The call that is being read; those are passed over that have ended, and of which nothing is to be seen. */
  #front() {
    const { order } = this.#calls;
    while (order.length && order[0].ended && order[0].final === undefined) order.shift();
    return order[0];
  }
}

// Snapshots

function note(event, known) {
  if (event.type === "call.started") known.calls.add(event.call);
  else if (event.type === "call.ended") known.ended.add(event.call);
  else if (event.type === "field.started") known.fields.add(place(event));
}

/** The events that a `run.snapshot` stands for, without those that are known. Fields that are known come anew. */
function standsFor({ seq, at: when, calls, fields, ended }, known) {
  const events = [];
  const say = (type, members) => {
    const event = { ...members, type, seq, at: when };
    events.push(event);
    note(event, known);
  };
  for (const call of calls) if (!known.calls.has(call.call)) say("call.started", call);
  for (const { value, kind, ended: over, call, field, candidate = 0 } of fields) {
    if (known.ended.has(call)) continue;
    const name = { call, field, candidate };
    if (known.fields.has(place(name))) say("field.reset", { ...name, reason: "repair" });
    else say("field.started", { ...name, kind });
    if (value !== undefined) say("field.delta", { ...name, ...(kind === "text" ? { text: value } : { value }) });
    if (over) say("field.ended", name);
  }
  for (const call of ended ?? []) if (!known.ended.has(call.call)) say("call.ended", call);
  return events;
}

function place({ call, field, candidate = 0 }) {
  return `${call}/${candidate}/${field}`;
}

// Odds of HTTP and of promises

function absolute(url) {
  return new URL(url, globalThis.location?.href);
}

function checkStream(response) {
  const type = response.headers.get("Content-Type") ?? "none";
  if (!type.startsWith("text/event-stream")) {
    response.body?.cancel().catch(() => {});
    throw new FieldstreamError("protocol", `the server's answer is no stream of events: its type is ${type}`);
  }
}

async function httpError(response) {
  const text = await response.text().catch(() => "");
  let error = {};
  try {
    error = JSON.parse(text).error ?? {};
  } catch {
    // Not the server's own words: a proxy's, say.
  }
  const { code = "http_error", message = `the server answered ${response.status} ${response.statusText}` } = error;
  return new HttpError(code, message, {
    status: response.status,
    details: error.details ?? null,
    retryAfter: seconds(response.headers.get("Retry-After")),
  });
}

/** `Retry-After` in seconds: it is those, or a date. */
function seconds(header) {
  if (header === null) return null;
  const number = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000;
  return Number.isNaN(number) ? null : Math.max(number, 0);
}

function parsed(data) {
  try {
    return JSON.parse(data);
  } catch (cause) {
    throw new FieldstreamError("protocol", `the server sent an event that is no JSON: ${data.slice(0, 80)}`, { cause });
  }
}

function closed() {
  return new FieldstreamError("closed", "the run is no longer followed, and had not ended");
}

function deferred() {
  const made = {};
  made.promise = new Promise((resolve, reject) => Object.assign(made, { resolve, reject }));
  made.promise.catch(() => {}); // Who asks for it hears of it; it is no error that nobody does.
  return made;
}

function sleep(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, milliseconds);
    if (signal?.aborted) stop();
    signal?.addEventListener("abort", stop, { once: true });
  });
}
