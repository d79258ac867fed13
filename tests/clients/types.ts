// Checked by tsc, never run: how fieldstream.js is meant to be used, and what its types must refuse.

import {
  apply,
  CancelledError,
  ConnectionError,
  type Event,
  FieldstreamError,
  follow,
  HttpError,
  type Outcome,
  ProgramError,
  type Run,
  ServerSentEvents,
  stream,
} from "../../src/fieldstream/server/page/fieldstream.js";

interface Answer {
  answer: string;
  sources: string[];
}

export async function reading(): Promise<Answer> {
  const abort = new AbortController();
  const run: Run<Answer> = stream<Answer>(
    "/programs/qa",
    { question: "Why?", depth: 3 },
    { token: "t", headers: { "X-Mine": "1" }, signal: abort.signal, cancelOnDisconnect: true, retries: 3, fetch },
  );
  const id: string = await run.started;
  const known: string | null = run.id;
  for await (const piece of run.text("extract.predict/answer")) {
    const text: string = piece.text;
    if (piece.reset === "rerun") console.log(text, piece.withdrawn.length, piece.call, id, known);
  }
  for await (const sources of run.values<string[]>("sources")) sources.at(-1)?.trim();
  for await (const event of run) console.log(words(event));
  for await (const event of run.events({ after: 12 })) console.log(event.seq, event.at);
  const outcome: Outcome = await run.done;
  if (outcome === "cancelled") await run.cancel();
  run.close();
  return run.result;
}

// Every event has its place here, which the last line holds to.
function words(event: Event): string {
  switch (event.type) {
    case "run.started":
      return `${event.run} of ${event.program}`;
    case "call.started":
      return `${event.kind} ${event.name} ${Object.keys(event.arguments ?? {}).length}`;
    case "field.started":
      return `${event.field}: ${event.kind ?? "text"}`;
    case "field.delta":
      return event.text ?? JSON.stringify(event.value);
    case "field.reset":
      return event.reason;
    case "field.ended":
      return event.field;
    case "lm.delta":
      return `${event.channel ?? "text"} ${event.text}`;
    case "call.ended":
      return `${event.seconds.toFixed(1)} ${event.error?.message ?? ""}`;
    case "status":
      return event.message;
    case "custom":
      return event.name ?? "";
    case "run.snapshot":
      return event.fields.map((field) => JSON.stringify(field.value)).join();
    case "run.ended":
      return event.outcome;
    default: {
      const none: never = event;
      return none;
    }
  }
}

export async function following(url: URL): Promise<void> {
  const run = follow(url, { after: -1, snapshot: true, silence: 0 });
  try {
    await run.result;
  } catch (error) {
    if (error instanceof HttpError) console.log(error.status, error.retryAfter, error.details);
    else if (error instanceof ProgramError) console.log(error.kind, error.run);
    else if (error instanceof CancelledError || error instanceof ConnectionError) console.log(error.run);
    else if (error instanceof FieldstreamError) console.log(error.code);
  }
}

export const value: unknown = apply(undefined, { type: "field.delta", call: "1", field: "a", text: "An" });
export const blocks: { id: string; data: string }[] = new ServerSentEvents().feed("data: 1\n\n");

// @ts-expect-error: a run is made by `stream` and `follow`.
new Run();
// @ts-expect-error: inputs have names.
stream("/programs/qa", "Why?");
// @ts-expect-error: there is no such option.
stream("/programs/qa", {}, { retry: 3 });
// @ts-expect-error: who starts a run has seen none of it.
stream("/programs/qa", {}, { after: 3 });
