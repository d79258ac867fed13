// A chat of the AI SDK, as an app has it. It is given
//   {"api": URL, "version": 7 or 6, "id": the chat's, "headers": {}, "body": {}, "messages": [], "updates": bool}
// and then reads commands, a line each:
//   {"send": text, "body": {}}, {"regenerate": true}, {"resume": true}, {"stop": true}, {"read": text}
// It writes {"parts": [...]} for each change of the message that is being received, where `updates` asks for it, and
// {"done": command, ...} with all that the app has when a command is done. `read` goes around the chat: it is the
// transport and `readUIMessageStream` alone.
import { createInterface } from "node:readline";
import * as seven from "ai";
import * as six from "ai-6";

const given = JSON.parse(process.argv[2]);
const sdk = given.version === 6 ? six : seven;
const say = (line) => process.stdout.write(JSON.stringify(line) + "\n");

class Messages {
  status = "ready";
  error = undefined;
  messages = given.messages ?? [];
  snapshot = (value) => structuredClone(value);
  popMessage = () => void this.messages.pop();
  pushMessage = (message) => {
    this.messages = [...this.messages, this.snapshot(message)];
    this.changed(message);
  };
  replaceMessage = (index, message) => {
    this.messages = this.messages.with(index, this.snapshot(message));
    this.changed(message);
  };
  changed = (message) => {
    if (given.updates && message.role === "assistant") say({ parts: message.parts });
  };
}

class Chat extends sdk.AbstractChat {}

let seen; // what the app was told of beside messages
const fresh = () => (seen = { data: [], toolCalls: [], finish: null });
fresh();

const transport = new sdk.DefaultChatTransport({ api: given.api, headers: given.headers, body: given.body });
const chat = new Chat({
  id: given.id,
  transport,
  state: new Messages(),
  onData: (part) => seen.data.push(part),
  onToolCall: ({ toolCall }) => void seen.toolCalls.push(toolCall),
  onFinish: ({ isAbort, isDisconnect, isError, finishReason }) => {
    seen.finish = { isAbort, isDisconnect, isError, finishReason: finishReason ?? null };
  },
  sendAutomaticallyWhen: sdk.lastAssistantMessageIsCompleteWithToolCalls,
});

async function read(text) {
  const messages = [{ id: "u1", role: "user", parts: [{ type: "text", text }] }];
  const errors = [];
  const stream = await transport.sendMessages({ trigger: "submit-message", chatId: given.id, messages });
  const chunks = [];
  const copied = stream.pipeThrough(
    new TransformStream({
      transform(chunk, controller) {
        chunks.push(chunk);
        controller.enqueue(chunk);
      },
    }),
  );
  let message = null;
  for await (const each of sdk.readUIMessageStream({ stream: copied, onError: (error) => errors.push(error.message) })) {
    message = each;
  }
  return { message, errors, chunks };
}

// What is wrong with messages that the app would keep, as a server of the SDK's would find it.
async function flaw(messages) {
  const checked = messages.length ? await sdk.safeValidateUIMessages({ messages }) : { success: true };
  return checked.success ? null : checked.error.message;
}

async function follow(command) {
  fresh();
  let more = {};
  if (command.send !== undefined) await chat.sendMessage({ text: command.send }, { body: command.body });
  if (command.regenerate) await chat.regenerate();
  if (command.resume) await chat.resumeStream();
  if (command.read !== undefined) more = await read(command.read);
  const { status, error, messages } = chat;
  say({ done: command, status, error: error?.message ?? null, messages, invalid: await flaw(messages), ...seen, ...more });
}

for await (const line of createInterface({ input: process.stdin })) {
  const command = JSON.parse(line);
  // A stop comes while another command is being followed.
  if (command.stop) await chat.stop();
  else follow(command);
}
