// Drives fieldstream.js: a task a line in, what came of it a line out.

import { createInterface } from "node:readline";
import { apply, follow, ServerSentEvents, stream } from "../../src/fieldstream/server/page/fieldstream.js";

const tasks = { read, follow: followed, join, refused, cancel, close, abort, offline, blocks, applied };

for await (const line of createInterface({ input: process.stdin })) {
  const { task, ...request } = JSON.parse(line);
  let answer;
  try {
    answer = await tasks[task](request);
  } catch (error) {
    answer = { uncaught: said(error) };
  }
  say(answer);
}

function say(answer) {
  process.stdout.write(JSON.stringify(answer) + "\n");
}

function said(error) {
  const { name, message, code, status, details, retryAfter, kind, run } = error;
  return { name, message, code, status, details, retryAfter, kind, run };
}

/** All that an iterator gives, and the error that it ends with, if there is one. */
async function all(items) {
  const value = [];
  try {
    for await (const item of items) value.push(structuredClone(item));
  } catch (error) {
    return { value, error: said(error) };
  }
  return { value };
}

async function settled(promise) {
  return promise.then(
    (value) => ({ value }),
    (error) => ({ error: said(error) }),
  );
}

/** What all readers of a run make of it, who read at once. */
async function everything(run, fields) {
  const readers = [all(run), all(run.events())];
  for (const field of fields) readers.push(all(run.text(field)), all(run.values(field)));
  const [events, again, ...rest] = await Promise.all(readers);
  const texts = Object.fromEntries(fields.map((field, at) => [field, rest[2 * at]]));
  const values = Object.fromEntries(fields.map((field, at) => [field, rest[2 * at + 1]]));
  const [result, done, started] = await Promise.all([settled(run.result), settled(run.done), settled(run.started)]);
  const late = await all(run);
  const { id, url, outcome, usage } = run;
  return { events, again, late, texts, values, result, done, started, id, url, outcome, usage };
}

async function read({ url, inputs, fields = [], options = {} }) {
  return everything(stream(url, inputs, { backoff: 1, ...options }), fields);
}

async function followed({ url, fields = [], options = {} }) {
  return everything(follow(url, { backoff: 1, ...options }), fields);
}

/** Follows a run, and says its first event as soon as that is there. */
async function join({ url, fields, options }) {
  const run = follow(url, { backoff: 1, ...options });
  for await (const event of run) {
    say(event);
    break;
  }
  return everything(run, fields);
}

async function refused({ url, inputs, options = {} }) {
  const run = stream(url, inputs, { backoff: 1, ...options });
  return { started: await settled(run.started), result: await settled(run.result), events: await all(run) };
}

/** Cancels a run when its first text is there. */
async function cancel({ url, inputs, field }) {
  const run = stream(url, inputs, { backoff: 1 });
  let text = "";
  for await (const piece of run.text(field)) {
    if (text === "") await run.cancel();
    text += piece.text;
  }
  const { value: events } = await all(run);
  return { text, outcome: await run.done, result: await settled(run.result), last: events.at(-1), url: run.url };
}

/** Stops following when the first text is there. */
async function close({ url, inputs, field }) {
  const run = stream(url, inputs, { backoff: 1 });
  const pieces = [];
  for await (const piece of run.text(field)) {
    pieces.push(piece.text);
    run.close();
  }
  return { pieces, outcome: run.outcome, result: await settled(run.result), id: run.id };
}

async function abort({ url, inputs, field }) {
  const controller = new AbortController();
  const run = stream(url, inputs, { backoff: 1, signal: controller.signal });
  const reader = run.text(field);
  const first = await reader.next();
  controller.abort();
  const { error } = await all(reader);
  const after = stream(url, inputs, { signal: controller.signal });
  return { first: first.value.text, error, after: await settled(after.started), id: run.id };
}

/** Reads a run from an answer that never was sent: these bytes, in these pieces. */
async function offline({ blocks, fields }) {
  const body = new ReadableStream({
    start(controller) {
      for (const block of blocks) controller.enqueue(Buffer.from(block, "base64"));
      controller.close();
    },
  });
  const headers = { "Content-Type": "text/event-stream", "X-Fieldstream-Run": "r" };
  const fetch = async () => new Response(body, { headers });
  return everything(stream("http://test/programs/p", {}, { fetch, retries: 0 }), fields);
}

/** The blocks of server-sent events in a stream, in these pieces. */
function blocks({ blocks }) {
  const decoder = new TextDecoder();
  const reader = new ServerSentEvents();
  const found = [];
  for (const block of blocks) {
    found.push(...reader.feed(decoder.decode(Buffer.from(block, "base64"), { stream: true })));
  }
  return found;
}

/** What the events make of one field. */
function applied({ events }) {
  const value = events.reduce(apply, undefined);
  return value === undefined ? { none: true } : { value };
}
