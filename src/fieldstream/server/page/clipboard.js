/** Copying, also where the page came without TLS and the browser's clipboard is closed to it. */

export async function copyText(text, button) {
  const done = (await write(text)) ? "Copied" : "Not copied";
  const label = button.lastChild;
  const before = label.textContent;
  if (button.dataset.said) return;
  button.dataset.said = "1";
  label.textContent = done;
  button.dispatchEvent(new CustomEvent("announce", { bubbles: true, detail: done }));
  setTimeout(() => {
    label.textContent = before;
    delete button.dataset.said;
  }, 1500);
}

async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    (document.querySelector("dialog[open]") ?? document.body).append(area);
    area.select();
    try {
      return document.execCommand("copy");
    } finally {
      area.remove();
    }
  }
}
