// Drives the real AG-UI client through turns of one conversation, as an app does, and says what came of it.
//
// Its argument: {url, headers?, state?, messages?, turns: [{say?, inputs?, runId?, abortAfter?}]}. `abortAfter` is a type
// of event: with the first one of it the app aborts the run, as a stop button does.
//
// It writes a line for each turn: the events, the texts that the app showed one after the other, the states, and how it
// finished. Before it come {shows: text} and {holds: state}, whenever those change. The last line is {messages, state,
// complaints}; the latter are whatever the client wrote to its console.

const complaints = [];
for (const level of ["debug", "info", "log", "warn", "error"]) {
  console[level] = (...words) => complaints.push(`${level}: ${words.map(String).join(" ")}`);
}
process.on("warning", (warning) => complaints.push(`warning: ${warning}`));
process.on("unhandledRejection", (reason) => complaints.push(`unhandled: ${reason}`));

const { HttpAgent } = await import("@ag-ui/client");

const order = JSON.parse(process.argv[2]);
const agent = new HttpAgent({
  url: order.url,
  headers: order.headers ?? {},
  threadId: "thread-1",
  initialState: order.state,
  initialMessages: order.messages ?? [],
});

const write = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);

async function take(turn, number) {
  const seen = { events: [], shown: [], states: [] };
  if (turn.say !== undefined) agent.addMessage({ id: `user-${number}`, role: "user", content: turn.say });
  const asked = agent.messages.length;
  const parameters = { runId: turn.runId };
  if (turn.inputs !== undefined) parameters.forwardedProps = { inputs: turn.inputs };
  const subscriber = {
    onEvent({ event }) {
      // The client goes on with its own objects: what is kept must be what it was.
      seen.events.push(structuredClone(event));
      if (event.type === turn.abortAfter) {
        turn.abortAfter = undefined;
        agent.abortRun();
      }
    },
    onMessagesChanged({ messages }) {
      const answers = messages.slice(asked).filter((message) => message.role === "assistant" && message.content);
      const text = answers.map((message) => message.content).join("");
      if (text === (seen.shown.at(-1) ?? "")) return;
      seen.shown.push(text);
      write({ shows: text });
    },
    onStateChanged({ state }) {
      seen.states.push(structuredClone(state));
      write({ holds: state });
    },
    onRunFinishedEvent({ outcome, result, pendingToolCallIds }) {
      Object.assign(seen, { outcome, result, pendingToolCallIds });
    },
    onRunErrorEvent({ event }) {
      seen.error = { message: event.message, code: event.code };
    },
  };
  try {
    const { newMessages } = await agent.runAgent(parameters, subscriber);
    seen.newMessages = newMessages;
  } catch (error) {
    seen.thrown = String(error);
  }
  return seen;
}

for (const [number, turn] of order.turns.entries()) write(await take(turn, number));
write({ messages: agent.messages, state: agent.state, complaints });
