/** The same run, as one writes it elsewhere: for a shell, in Python, in JavaScript. */

/** A text as one word of a POSIX shell. */
const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** A value in JSON, as Python writes it. */
export function python(value, indent = "") {
  const inner = `${indent}    `;
  const body = (parts, open, close) => {
    const line = `${open}${parts.join(", ")}${close}`;
    if (line.length + indent.length <= 88 && !line.includes("\n")) return line;
    return `${open}\n${parts.map((part) => `${inner}${part},\n`).join("")}${indent}${close}`;
  };
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value !== "object") return JSON.stringify(value);
  if (Array.isArray(value)) return body(value.map((item) => python(item, inner)), "[", "]");
  return body(Object.entries(value).map(([key, member]) => `${JSON.stringify(key)}: ${python(member, inner)}`), "{", "}");
}

const IDENTIFIER = /^[A-Za-z][A-Za-z0-9_]*$/;
const KEYWORDS = new Set(
  "False None True and as assert async await break class continue def del elif else except finally for from global if import in is lambda nonlocal not or pass raise return try while with yield".split(" "),
);

/** For a shell: the answer's events as they come. */
export function curlSnippet({ base, program, inputs, token }) {
  return [
    `curl --no-buffer ${quoted(`${base}programs/${encodeURIComponent(program)}/runs`)}`,
    "  --header 'Content-Type: application/json'",
    ...(token ? ['  --header "Authorization: Bearer $FIELDSTREAM_TOKEN"'] : []),
    `  --data-raw ${quoted(JSON.stringify(inputs))}`,
  ].join(" \\\n");
}

export function pythonSnippet({ base, program, inputs, output, text, token }) {
  const plain = Object.keys(inputs).every((name) => IDENTIFIER.test(name) && !KEYWORDS.has(name) && name !== "self");
  const given = plain
    ? Object.entries(inputs).map(([name, value]) => `${name}=${python(value, "    ")}`)
    : [`**${python(inputs, "    ")}`];
  const called = [JSON.stringify(program), ...given];
  const line = called.join(", ");
  const call = line.length < 76 && !line.includes("\n") ? line : `\n${called.map((each) => `    ${each},\n`).join("")}`;
  const reading = text
    ? [`    for text in run.text(${JSON.stringify(output)}):`, '        print(text, end="", flush=True)']
    : ["    for event in run:", "        print(event)"];
  return [
    ...(token ? ["import os", ""] : []),
    'import fieldstream  # pip install "fieldstream[client]"',
    "",
    `client = fieldstream.Client(${JSON.stringify(base.replace(/\/$/, ""))}${token ? ', token=os.environ["FIELDSTREAM_TOKEN"]' : ""})`,
    `with client.stream(${call}) as run:`,
    ...reading,
    "print()",
    "print(run.result)",
  ].join("\n");
}

export function javascriptSnippet({ base, program, inputs, output, text, token }) {
  const reading = text
    ? [`for await (const { text } of run.text(${JSON.stringify(output)})) console.log(text);`]
    : ["for await (const event of run) console.log(event);"];
  const options = token ? ", { token: FIELDSTREAM_TOKEN }" : "";
  return [
    `const { stream } = await import(${JSON.stringify(`${base}page/fieldstream.js`)});`,
    "",
    `const run = stream(${JSON.stringify(`${base}programs/${encodeURIComponent(program)}`)}, ${JSON.stringify(inputs, null, 2)}${options});`,
    ...reading,
    "console.log(await run.result);",
  ].join("\n");
}

export const SNIPPETS = { curl: curlSnippet, Python: pythonSnippet, JavaScript: javascriptSnippet };
