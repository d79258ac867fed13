/**
 * What a run looks like so far: events go in, one after the other. It draws nothing; a view asks what has changed.
 *
 * A field's value is not kept: its `changes` are, consecutive texts joined into one, from which a view, or `valueOf`,
 * makes the value. So a delta costs what it brings, and a view that comes late draws the same.
 */

import { apply } from "./fieldstream.js";

/** A field of a predictor, or an LM's own text, which has the name of its channel. */
export class Field {
  ended = false;
  /** `{path, pieces}` to append, `{path, value}` to set, `{path, reason}` to withdraw. */
  changes = [];

  constructor(call, name, kind, candidate, channel = false) {
    Object.assign(this, { call, name, kind, candidate, channel });
  }

  append(path, text) {
    const last = this.changes.at(-1);
    if (last?.pieces && samePath(last.path, path)) last.pieces.push(text);
    else this.changes.push({ path, pieces: [text] });
  }
}

/** A call; `entries` are what came of it, in order: calls in it, fields, and notes. */
export class Call {
  entries = [];
  fields = new Map();
  seconds = null;
  error = null;
  values = null;
  usage = null;
  cached = false;
  result = undefined;
  /** The attempt in it that was chosen; of an attempt itself, whether it was not. */
  chosen = null;
  discarded = false;

  constructor(event, parent) {
    this.id = event.call;
    this.parent = parent;
    this.kind = event.kind;
    this.name = event.name;
    this.startedAt = event.at;
    this.arguments = event.arguments ?? null;
    this.whole = event.whole ?? null;
    this.attempt = event.attempt ?? null;
  }
}

/** A message for a person (`status`), or the program's own (`custom`). */
export class Note {
  constructor(kind, name, value, at) {
    Object.assign(this, { kind, name, value, at });
  }
}

export class RunState {
  run = null;
  program = null;
  at = 0;
  calls = new Map();
  entries = [];
  status = null;
  deltas = 0;
  callCount = 0;
  firstText = null;
  outcome = null;
  result = undefined;
  error = null;
  usage = {};
  /** The predictor's call whose fields are the program's answer, as far as one knows. */
  answering = null;
  /** Calls and fields that have changed since a view took them. */
  changed = new Set();
  /** What happened that a listener should be told: `{what, ...}`. */
  news = [];
  #statusOf = null;
  #outputs;

  /** `outputs`: the names of the fields by which the program's answer is known: the main one, or else all. */
  constructor(outputs = []) {
    this.#outputs = new Set(outputs);
  }

  /** Take an event in. Raises an `Error` for one that is not known. */
  apply(event) {
    this.at = Math.max(this.at, event.at);
    switch (event.type) {
      case "run.started":
        this.run = event.run;
        this.program = event.program;
        break;
      case "call.started":
        this.#open(event);
        break;
      case "field.started": {
        const field = this.#field(event, event.kind ?? "text");
        if (field) {
          field.ended = false;
          this.#wrote(field);
        }
        break;
      }
      case "field.delta": {
        const field = this.#field(event, event.path || event.text == null ? "data" : "text");
        this.deltas += 1;
        this.firstText ??= event.at;
        if (!field) break;
        if (event.text != null) field.append(event.path ?? [], event.text);
        else field.changes.push({ path: event.path ?? [], value: event.value });
        break;
      }
      case "field.reset": {
        const field = this.#field(event, "text");
        if (!field) break;
        field.changes.push({ path: event.path ?? [], reason: event.reason });
        field.ended = false;
        this.news.push({ what: "reset", field, reason: event.reason });
        break;
      }
      case "field.ended": {
        const field = this.#field(event, "text");
        if (!field) break;
        field.ended = true;
        this.news.push({ what: "field", field });
        break;
      }
      case "lm.delta": {
        this.firstText ??= event.at;
        this.#field({ ...event, field: event.channel ?? "text" }, "text", true)?.append([], event.text);
        break;
      }
      case "call.ended":
        this.#close(event);
        break;
      case "status":
        this.status = event.message;
        this.#statusOf = event.call ?? null;
        this.#note(event, new Note("status", null, event.message, event.at));
        this.news.push({ what: "status", message: event.message });
        break;
      case "custom":
        this.#note(event, new Note("custom", event.name ?? null, event.value, event.at));
        break;
      case "run.snapshot":
        this.#restore(event);
        break;
      case "run.ended":
        this.outcome = event.outcome;
        this.result = event.result;
        this.error = event.error ?? null;
        this.usage = event.usage ?? {};
        this.status = null;
        this.news.push({ what: "ended" });
        break;
      default:
        throw new Error(`An event of a type that is not known here: ${event.type}`);
    }
  }

  /** What changed since the last time this was asked. */
  take() {
    const { changed, news } = this;
    this.changed = new Set();
    this.news = [];
    return { changed, news };
  }

  #open(event) {
    const parent = event.parent ? this.calls.get(event.parent) ?? null : null;
    const call = new Call(event, parent);
    this.calls.set(call.id, call);
    this.callCount += 1;
    (parent ?? this).entries.push(call);
    this.changed.add(parent ?? this);
    this.changed.add(call);
  }

  #field(event, kind, channel = false) {
    const call = this.calls.get(event.call);
    if (!call) return null;
    const candidate = event.candidate ?? 0;
    const key = `${channel ? "channel" : "field"} ${candidate} ${event.field}`;
    let field = call.fields.get(key);
    if (!field) {
      field = new Field(call, event.field, kind, candidate, channel);
      call.fields.set(key, field);
      call.entries.push(field);
      this.changed.add(call);
    }
    this.changed.add(field);
    return field;
  }

  #wrote(field) {
    if (field.candidate || !this.#outputs.has(field.name) || this.answering === field.call) return;
    this.#answer(field.call);
  }

  #answer(call) {
    for (const each of [this.answering, call]) if (each) this.changed.add(each);
    this.answering = call;
    this.changed.add(this);
  }

  #note(event, note) {
    const call = event.call ? this.calls.get(event.call) : null;
    (call ?? this).entries.push(note);
    this.changed.add(call ?? this);
  }

  #close(event) {
    const call = this.calls.get(event.call);
    if (!call) return;
    call.seconds = event.seconds;
    // An LM's call is announced when it has something to say, so that its beginning is known only now.
    call.startedAt = Math.min(call.startedAt, event.at - event.seconds);
    call.error = event.error ?? null;
    call.values = event.fields ?? null;
    call.usage = event.usage ?? null;
    call.cached = event.cached ?? false;
    call.result = event.result;
    call.chosen = event.chosen ?? null;
    if (this.#statusOf === call.id) this.status = null;
    for (const field of call.fields.values()) {
      if (!field.ended) this.changed.add(field);
      field.ended = true;
    }
    this.changed.add(call);
    if (call.parent) this.changed.add(call.parent); // It counts its models' calls.
    if (call.chosen) this.#choose(call);
  }

  #choose(call) {
    const attempts = call.entries.filter((entry) => entry instanceof Call && entry.attempt !== null);
    for (const attempt of attempts) {
      attempt.discarded = attempt.id !== call.chosen;
      this.changed.add(attempt);
    }
    const chosen = attempts.find((attempt) => !attempt.discarded);
    if (!chosen || !this.answering || !attempts.some((attempt) => within(this.answering, attempt))) return;
    const writers = [...this.calls.values()].filter((each) => within(each, chosen) && this.#writes(each));
    if (writers.length) this.#answer(writers.at(-1));
  }

  #writes(call) {
    return [...call.fields.values()].some((field) => !field.channel && this.#outputs.has(field.name));
  }

  #restore(snapshot) {
    this.run = snapshot.run;
    this.program = snapshot.program;
    this.calls.clear();
    this.entries.length = 0;
    this.callCount = 0;
    this.answering = null;
    for (const call of snapshot.calls) this.#open(call);
    for (const each of snapshot.fields) {
      const field = this.#field(each, each.kind);
      if (!field) continue;
      if (each.kind === "text" && typeof each.value === "string") field.append([], each.value);
      else if (each.value !== undefined) field.changes.push({ path: [], value: each.value });
      field.ended = each.ended ?? false;
      this.#wrote(field);
    }
    for (const ended of snapshot.ended ?? []) this.#close(ended);
    this.changed.add(this);
  }
}

function within(call, enclosing) {
  for (let each = call; each; each = each.parent) if (each === enclosing) return true;
  return false;
}

const samePath = (one, other) => one.length === other.length && one.every((key, index) => key === other[index]);

/** A field's value so far; `undefined` before there is any. */
export function valueOf(field) {
  let value;
  for (const { path, pieces, reason, value: given } of field.changes) {
    if (reason) value = apply(value, { type: "field.reset", path });
    else if (pieces) value = apply(value, { type: "field.delta", path, text: pieces.join("") });
    else value = apply(value, { type: "field.delta", path, value: given });
  }
  return value;
}

/** Whether two values are the same JSON; the order of members does not count. */
export function alike(one, other) {
  if (one === other) return true;
  if (typeof one !== "object" || typeof other !== "object" || !one || !other) return false;
  if (Array.isArray(one) !== Array.isArray(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => key in other && alike(one[key], other[key]));
}
