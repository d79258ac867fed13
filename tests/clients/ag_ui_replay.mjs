// Feeds recorded answers to the real AG-UI client, in the place of a server's, and says what it makes of each.
//
// It reads a line for each: {messages, state, body}; the body comes in two pieces, cut in the middle of its bytes. It
// writes a line for each: {messages, state, outcome, thrown, complaints}, the last being what the client wrote to its
// console.

import { createInterface } from "node:readline";

let complaints = [];
for (const level of ["debug", "info", "log", "warn", "error"]) {
  console[level] = (...words) => complaints.push(`${level}: ${words.map(String).join(" ")}`);
}

const { HttpAgent } = await import("@ag-ui/client");

function answer(body) {
  const bytes = new TextEncoder().encode(body);
  const half = bytes.length >> 1;
  const stream = new ReadableStream({
    start(controller) {
      controller.enqueue(bytes.subarray(0, half));
      controller.enqueue(bytes.subarray(half));
      controller.close();
    },
  });
  return new Response(stream, { headers: { "content-type": "text/event-stream" } });
}

for await (const line of createInterface({ input: process.stdin })) {
  const { messages, state, body } = JSON.parse(line);
  complaints = [];
  const agent = new HttpAgent({ url: "http://unused", initialMessages: messages, initialState: state });
  agent.fetch = async () => answer(body);
  let outcome = null;
  let thrown = null;
  const subscriber = {
    onRunFinishedEvent: (finished) => {
      outcome = finished.outcome;
    },
    onRunErrorEvent: () => {
      outcome = "error";
    },
  };
  try {
    await agent.runAgent({}, subscriber);
  } catch (error) {
    thrown = String(error);
  }
  const seen = { messages: agent.messages, state: agent.state, outcome, thrown, complaints };
  process.stdout.write(`${JSON.stringify(seen)}\n`);
}
