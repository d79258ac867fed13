// Drives the page's modules that draw nothing: a task a line in, what came of it a line out.

import { createInterface } from "node:readline";

const page = new URL("../../../src/fieldstream/server/page/", import.meta.url);
const { Blocks, render } = await import(new URL("blocks.js", page));
const { spread } = await import(new URL("replay.js", page));
const { classify } = await import(new URL("schema.js", page));
const { RunState, alike, valueOf } = await import(new URL("state.js", page));
const snippets = await import(new URL("snippets.js", page));

const tasks = { state, blocks, spread: ({ events }) => spread(events), snippet, kinds };

for await (const line of createInterface({ input: process.stdin })) {
  const { task, ...request } = JSON.parse(line);
  let answer;
  try {
    answer = tasks[task](request);
  } catch (error) {
    answer = { uncaught: String(error.stack) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}

/** What a state knows of a run: its fields' values, its calls, which one answers. */
function state({ events, outputs = [] }) {
  const state = new RunState(outputs);
  const news = [];
  for (const event of events) {
    state.apply(event);
    news.push(...state.take().news.map(({ what, message, reason }) => message ?? reason ?? what));
  }
  const calls = [...state.calls.values()].map((call) => ({
    call: call.id,
    ended: call.seconds !== null,
    discarded: call.discarded,
    entries: call.entries.length,
    fields: [...call.fields.values()].map((field) => [
      field.name,
      field.candidate,
      field.channel,
      field.ended,
      valueOf(field) ?? null,
    ]),
  }));
  const { outcome, deltas, answering } = state;
  const same = calls.every(({ fields }) => fields.every(([, , , , value]) => alike(value, structuredClone(value))));
  return { outcome, deltas, news, calls, same, answering: answering?.id ?? null, at: state.at };
}

/** A text in pieces, drawn after those that are told, against the text drawn whole; and how much was read for it. */
function blocks({ pieces, draws }) {
  const blocks = new Blocks();
  let settled = "";
  let shown = "";
  pieces.forEach((piece, index) => {
    blocks.append(piece);
    if (draws && !draws[index]) return;
    const drawn = blocks.take();
    settled += drawn.settled;
    if (drawn.open !== null) shown = drawn.open;
  });
  const last = blocks.take(true);
  const html = last.anew ? last.settled : settled + last.settled;
  return { html, whole: render(pieces.join("")), text: blocks.text, read: blocks.read, shown };
}

function snippet({ language, run }) {
  return snippets.SNIPPETS[language](run);
}

/** What each member of a schema is asked for as. */
function kinds({ schema }) {
  return Object.fromEntries(Object.entries(schema.properties).map(([name, each]) => [name, classify(each, schema).kind]));
}
