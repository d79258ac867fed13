/** How things are put into words: times, counts, names, why something was withdrawn. */

/** A time for a person: `0.34 s`, `12.3 s`, `2 min 05 s`. */
export function duration(seconds) {
  if (seconds < 10) return `${seconds.toFixed(2)} s`;
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  const whole = Math.floor(seconds);
  return `${Math.floor(whole / 60)} min ${String(whole % 60).padStart(2, "0")} s`;
}

/** A time that is going on: as `duration`, but calmer. */
export const ticking = (seconds) => (seconds < 60 ? `${seconds.toFixed(1)} s` : duration(seconds));

/** When something was, for a person: `just now`, `5 min ago`, else a date. Both in Unix seconds. */
export function ago(then, now = Date.now() / 1000) {
  const seconds = Math.max(0, now - then);
  if (seconds < 45) return "just now";
  if (seconds < 3600) return `${Math.max(1, Math.round(seconds / 60))} min ago`;
  if (seconds < 86400) return `${Math.round(seconds / 3600)} h ago`;
  return new Date(then * 1000).toLocaleDateString(undefined, { day: "numeric", month: "short" });
}

/** An error as Python words it. */
export const failure = (error) => (error.message ? `${error.kind}: ${error.message}` : error.kind);

/** A name as one reads it: `final_answer` is "Final answer". */
export function title(name) {
  const words = name.replace(/_+/g, " ").trim();
  return words ? words[0].toUpperCase() + words.slice(1) : name;
}

/** `1 call`, `2 calls`. */
export const count = (number, noun) => `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;

const first = (usage, ...names) => names.map((name) => usage?.[name]).find((value) => typeof value === "number") ?? 0;

/** What an LM's usage comes to: `1,204 tokens in, 87 out`; empty where nobody counted. */
export function tokens(usage) {
  const read = first(usage, "prompt_tokens", "input_tokens");
  const written = first(usage, "completion_tokens", "output_tokens");
  return read || written ? `${read.toLocaleString("en")} tokens in, ${written.toLocaleString("en")} out` : "";
}

/** What kind of call it is. */
export const KINDS = { module: "Module", predictor: "Predictor", lm: "Model", tool: "Tool" };

/** Why a predictor's fields come whole. */
export const WHOLE = {
  cached: "from the cache",
  adapter: "shown whole: its format cannot be followed",
  lm: "shown whole: its model does not stream",
};

/** Why what was shown is withdrawn. */
export const RESETS = {
  retry: "the model’s answer broke off, so it was asked again",
  fallback: "the answer did not fit its format, so it was asked for in another",
  repair: "the answer was read differently once it was whole",
  rerun: "another attempt took its place",
};

export const OUTCOMES = { completed: "Completed", failed: "Failed", cancelled: "Cancelled" };

/** A value on one line, cut after `most` characters. */
export function oneLine(value, most) {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  const line = text.slice(0, most * 4).replace(/\s+/g, " ").trim();
  return line.length > most || text.length > most * 4 ? `${line.slice(0, most - 1).trimEnd()}…` : line;
}
