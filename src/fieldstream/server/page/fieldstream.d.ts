/** What a run says, and the client that reads it; `fieldstream.js` is the code. */

export type Json = null | boolean | number | string | Json[] | { [name: string]: Json };
/** Where in a field's value: keys and indexes from its root; `[]`, or none, is the value itself. */
export type Path = (string | number)[];
export type Outcome = "completed" | "failed" | "cancelled";
export type FieldKind = "text" | "data";
export type ResetReason = "retry" | "fallback" | "repair" | "rerun";
export type Usage = { [model: string]: { [what: string]: any } };

/** An exception as data. */
export interface Failure {
  kind: string;
  message: string;
}

interface Said {
  /** The event's number in the run, and a reader's cursor. */
  seq: number;
  /** Seconds since the run began. */
  at: number;
}

interface OfField {
  /** The id of the predictor's call that writes the field. */
  call: string;
  field: string;
  /** Which of several completions; none is the first, 0. */
  candidate?: number;
}

export interface RunStarted extends Said {
  type: "run.started";
  run: string;
  program: string;
}

/** What is known of a call when it begins. */
export interface Call {
  call: string;
  parent?: string | null;
  kind: "module" | "predictor" | "lm" | "tool";
  /** A predictor's or a module's path in the program, a tool's name, a model's. */
  name: string;
  arguments?: { [name: string]: Json } | null;
  /** Why a predictor's fields will come whole, if they will. */
  whole?: "cached" | "adapter" | "lm" | null;
  attempt?: number | null;
}

/** What is known of a call when it has ended. */
export interface EndedCall {
  call: string;
  seconds: number;
  error?: Failure | null;
  fields?: { [field: string]: Json } | null;
  usage?: { [what: string]: any } | null;
  cached?: boolean;
  result?: Json;
  chosen?: string | null;
}

export interface CallStarted extends Said, Call {
  type: "call.started";
}

export interface FieldStarted extends Said, OfField {
  type: "field.started";
  /** None is "text". */
  kind?: FieldKind;
}

/** More of a field: `text` to append at `path`, or a `value` to set there. One of the two is there. */
export interface FieldDelta extends Said, OfField {
  type: "field.delta";
  path?: Path;
  text?: string;
  value?: Json;
}

/** What was shown at `path` is withdrawn. */
export interface FieldReset extends Said, OfField {
  type: "field.reset";
  reason: ResetReason;
  path?: Path;
}

export interface FieldEnded extends Said, OfField {
  type: "field.ended";
}

export interface LmDelta extends Said {
  type: "lm.delta";
  call: string;
  text: string;
  /** None is "text". */
  channel?: "text" | "reasoning" | "tool_call";
  candidate?: number;
}

export interface CallEnded extends Said, EndedCall {
  type: "call.ended";
}

export interface Status extends Said {
  type: "status";
  message: string;
  call?: string | null;
}

export interface Custom extends Said {
  type: "custom";
  value: Json;
  name?: string | null;
  call?: string | null;
}

/** In place of the events before it, for a reader that joins in the middle. */
export interface RunSnapshot extends Said {
  type: "run.snapshot";
  run: string;
  program: string;
  calls: Call[];
  fields: (OfField & { kind: FieldKind; value?: Json; ended?: boolean })[];
  ended?: EndedCall[];
}

export interface RunEnded extends Said {
  type: "run.ended";
  outcome: Outcome;
  result?: Json;
  error?: Failure | null;
  usage?: Usage;
}

export type Event =
  | RunStarted
  | CallStarted
  | FieldStarted
  | FieldDelta
  | FieldReset
  | FieldEnded
  | LmDelta
  | CallEnded
  | Status
  | Custom
  | RunSnapshot
  | RunEnded;

export interface Options {
  /** Sent with each request; a token is sent as `Authorization: Bearer <token>`. */
  headers?: HeadersInit;
  token?: string;
  credentials?: RequestCredentials;
  /** Stops following when it is aborted, as `run.close()` does; the readers throw its reason. */
  signal?: AbortSignal;
  /** In place of the global one. */
  fetch?: (url: string, init: RequestInit) => Promise<Response>;
  /** How often in a row it is tried to go on after the connection broke; 8, if it is not said. Any event counts anew. */
  retries?: number;
  /** The longest pause before the first try, in milliseconds; it doubles with each, up to `maxBackoff`. 500 and 10,000. */
  backoff?: number;
  maxBackoff?: number;
  /** After how many milliseconds without a word the connection counts as broken; 0: never. 60,000. */
  silence?: number;
}

export interface StreamOptions extends Options {
  /** The server cancels the run when this reader goes away; also when its connection breaks. */
  cancelOnDisconnect?: boolean;
}

export interface FollowOptions extends Options {
  /** The `seq` of the last event that is known already; -1, if it is not said: from the run's first. */
  after?: number;
  /** Begin with a `run.snapshot` in place of the events so far. */
  snapshot?: boolean;
  /** Whether deltas of one text that wait come as one; `true`, if it is not said. Else each is as it was, with its time. */
  merge?: boolean;
}

/** A piece of a field's text. */
export interface TextPiece {
  text: string;
  /** The id of the call that wrote it. */
  call: string;
  /** Why something that was said of the field before is withdrawn, where it is. */
  reset: ResetReason | null;
  /** The ids of the calls that said it: this piece's own, but for "rerun". */
  withdrawn: string[];
}

export class Run<Result = any> implements AsyncIterable<Event> {
  private constructor();
  readonly id: string | null;
  readonly url: string | null;
  readonly outcome: Outcome | null;
  readonly usage: Usage;
  readonly started: Promise<string>;
  readonly result: Promise<Result>;
  readonly done: Promise<Outcome>;
  cancel(): Promise<void>;
  close(): void;
  events(options?: { after?: number }): AsyncGenerator<Event, void, undefined>;
  text(field: string): AsyncGenerator<TextPiece, void, undefined>;
  values<Value = any>(field: string): AsyncGenerator<Value, void, undefined>;
  [Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined>;
}

export function stream<Result = any>(
  url: string | URL,
  inputs: { [name: string]: any },
  options?: StreamOptions,
): Run<Result>;

export function follow<Result = any>(url: string | URL, options?: FollowOptions): Run<Result>;

export function apply(value: any, event: Event | Omit<FieldDelta, "seq" | "at"> | Omit<FieldReset, "seq" | "at">): any;

export class ServerSentEvents {
  feed(text: string): { id: string; event: string; data: string }[];
}

export class FieldstreamError extends Error {
  readonly code: string;
}

export class HttpError extends FieldstreamError {
  readonly status: number;
  readonly details: Json;
  /** Seconds. */
  readonly retryAfter: number | null;
}

export class ConnectionError extends FieldstreamError {
  readonly run: string | null;
}

export class ProgramError extends FieldstreamError {
  readonly kind: string;
  readonly run: string;
}

export class CancelledError extends FieldstreamError {
  readonly run: string;
}
