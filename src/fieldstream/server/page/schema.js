/** What a JSON Schema, as Pydantic writes it, asks a person for. */

const DEEPEST = 3;

/**
 * What kind of input a schema needs: `{kind, schema, nullable}`, where `schema` has its references followed. Kinds are
 * text, line, integer, number, boolean, choice, date, datetime, time, list, object, history and, for all else, json.
 */
export function classify(schema, root, depth = 0) {
  const { schema: own, nullable, model } = resolved(schema, root);
  // DSPy's own; any other model may have messages, too.
  const history = model === "History" && Object.keys(own.properties ?? {}).join() === "messages";
  return { kind: history ? "history" : kindOf(own, root, depth), schema: own, nullable };
}

/** The schema with its references followed, whether null is allowed beside, and the name of its model, if it has one. */
function resolved(schema, root) {
  let own = schema;
  let nullable = false;
  let model = null;
  for (let steps = 0; steps < 20; steps++) {
    if (own.$ref) {
      const { $ref, ...beside } = own;
      own = { ...at(root, $ref), ...beside };
      model = $ref.split("/").at(-1);
      continue;
    }
    const arms = own.anyOf ?? own.oneOf;
    const real = arms?.filter((arm) => arm.type !== "null");
    if (arms && real.length < arms.length) nullable = true;
    if (!arms || real.length !== 1) break;
    const { anyOf, oneOf, ...beside } = own;
    own = { ...real[0], ...beside };
  }
  return { schema: own, nullable, model };
}

const at = (root, ref) =>
  ref
    .replace(/^#\//, "")
    .split("/")
    .reduce((each, key) => each?.[key.replace(/~1/g, "/").replace(/~0/g, "~")], root) ?? {};

function kindOf(schema, root, depth) {
  if (schema.enum || "const" in schema) return "choice";
  switch (schema.type) {
    case "string":
      if (schema.format === "date") return "date";
      if (schema.format === "date-time") return "datetime";
      if (schema.format === "time") return "time";
      return schema.format ? "line" : "text";
    case "integer":
    case "number":
    case "boolean":
      return schema.type;
    case "array":
      return schema.items && depth < DEEPEST && classify(schema.items, root, depth + 1).kind !== "json" ? "list" : "json";
    case "object":
      return schema.properties && Object.keys(schema.properties).length && depth < DEEPEST ? "object" : "json";
    default:
      return "json";
  }
}

/** Whether it is a `dspy.Code`, whose text is shown as code. */
export function isCode(schema, root) {
  const { properties = {} } = resolved(schema, root).schema;
  return Object.keys(properties).join() === "code";
}

/** What a value of this schema may look like, as an example. */
export function example(schema, root, depth = 0) {
  const { kind, schema: own } = classify(schema, root, depth);
  switch (kind) {
    case "choice":
      return own.enum?.[0] ?? own.const;
    case "text":
    case "line":
      return "…";
    case "integer":
    case "number":
      return 0;
    case "boolean":
      return false;
    case "date":
      return "2025-01-31";
    case "datetime":
      return "2025-01-31T12:00:00Z";
    case "time":
      return "12:00:00";
    case "history":
      return { messages: [] };
  }
  if (depth >= DEEPEST) return own.type === "array" ? [] : {};
  if (own.type === "array") return own.items ? [example(own.items, root, depth + 1)] : [];
  const members = Object.entries(own.properties ?? {}).map(([name, each]) => [name, example(each, root, depth + 1)]);
  if (members.length) return Object.fromEntries(members);
  const other = own.additionalProperties;
  return other && typeof other === "object" ? { name: example(other, root, depth + 1) } : own.type === "object" ? {} : null;
}
