/** The page's dialogs: a run as code, and the question for a token. */

import { copyText } from "./clipboard.js";
import { h, icon } from "./dom.js";
import { SNIPPETS } from "./snippets.js";

/** Shows a run as code, in one language at a time. */
export function showCode(run) {
  const names = Object.keys(SNIPPETS);
  const code = h("code");
  const panel = h("pre", { id: "snippet", role: "tabpanel", tabindex: "0" }, code);
  const copy = h("button", { type: "button", class: "primary", onclick: () => copyText(code.textContent, copy) }, icon("copy"), "Copy");
  const tabs = names.map((name) =>
    h("button", { type: "button", role: "tab", id: `tab-${name}`, "aria-controls": "snippet", onclick: () => choose(name) }, name),
  );
  const choose = (name) => {
    code.textContent = SNIPPETS[name](run);
    panel.setAttribute("aria-labelledby", `tab-${name}`);
    for (const tab of tabs) {
      const chosen = tab.id === `tab-${name}`;
      tab.setAttribute("aria-selected", String(chosen));
      tab.tabIndex = chosen ? 0 : -1;
    }
  };
  const list = h("div", { role: "tablist", "aria-label": "Language" }, ...tabs);
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = (tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length;
    tabs[next].focus();
    choose(names[next]);
  });
  choose(names[0]);
  const dialog = makeDialog(
    "This run as code",
    h("div", { class: "tabs" }, list, copy),
    panel,
    run.token ? h("p", { class: "hint" }, "Put your token into FIELDSTREAM_TOKEN; it is not written here.") : "",
  );
  dialog.showModal();
}

/** Asks for the token; `null` where there will be none. `wrong`: one was given before. */
export function askToken(wrong) {
  return new Promise((resolve) => {
    const input = h("input", { type: "password", id: "token", autocomplete: "off", required: true, "aria-describedby": "token-hint" });
    const form = h(
      "form",
      { class: "form" },
      h("label", { class: "label", for: "token" }, "Token"),
      h("p", { class: "hint", id: "token-hint" }, wrong ? "The server did not take that token. Try another." : "This server asks for one. It is kept until you close this tab."),
      input,
      h("div", { class: "form-end" }, h("button", { type: "submit", class: "primary" }, "Go on")),
    );
    const dialog = makeDialog("A token is needed", form);
    let given = null;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      given = input.value.trim() || null;
      dialog.close();
    });
    dialog.addEventListener("close", () => resolve(given));
    dialog.showModal();
    input.focus();
  });
}

function makeDialog(name, ...children) {
  const close = h("button", { type: "button", class: "quiet icon-only", "aria-label": "Close", onclick: () => dialog.close() }, icon("close"));
  const dialog = h(
    "dialog",
    { "aria-labelledby": "dialog-title" },
    h("header", {}, h("h2", { id: "dialog-title" }, name), close),
    ...children,
  );
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  return dialog;
}
