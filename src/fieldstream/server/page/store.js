/** What the browser keeps: the theme, the runs that were watched here, a token for as long as the tab is open. */

const RUNS = 30;

/** Keys carry the place of the server, since several may be on one origin. */
const place = new URL(".", document.baseURI).pathname;

export const theme = {
  get: () => read(localStorage, "fieldstream.theme"),
  set: (value) => write(localStorage, "fieldstream.theme", value),
};

export const token = {
  get: () => read(sessionStorage, `fieldstream.token ${place}`) || "",
  set: (value) => write(sessionStorage, `fieldstream.token ${place}`, value),
};

/** What was last put into a program's form, by program. */
export const drafts = {
  get: (program) => read(sessionStorage, `fieldstream.draft ${place} ${program}`),
  set: (program, inputs) => write(sessionStorage, `fieldstream.draft ${place} ${program}`, inputs),
};

/** The runs that were started here, the newest first: `{run, program, preview, started_at, outcome, seconds}`. */
export const runs = {
  list: () => read(localStorage, `fieldstream.runs ${place}`) ?? [],
  put(run) {
    const others = runs.list().filter((each) => each.run !== run.run);
    const known = runs.list().find((each) => each.run === run.run) ?? {};
    const all = [{ ...known, ...run }, ...others].sort((a, b) => (b.started_at ?? 0) - (a.started_at ?? 0));
    write(localStorage, `fieldstream.runs ${place}`, all.slice(0, RUNS));
  },
};

function read(storage, key) {
  try {
    return JSON.parse(storage.getItem(key));
  } catch {
    return null;
  }
}

function write(storage, key, value) {
  try {
    storage.setItem(key, JSON.stringify(value));
  } catch {
    // It is full or closed; then nothing is kept.
  }
}
