"use strict";
// Theme, copying, dialogs, the filter of the trace: whatever is not the timeline.
document.documentElement.classList.add("scripts");

/** @param {string} id @returns {any} the element with this id, or null */
const byId = (id) => document.getElementById(id);

const prefersDark = matchMedia("(prefers-color-scheme: dark)");

/** Remembered where the browser allows it; on pages from disk some do not. */
function remembered() {
  try { return localStorage.getItem("shakedown-theme"); } catch { return null; }
}

function toggleTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : prefersDark.matches;
  root.dataset.theme = dark ? "light" : "dark";
  try { localStorage.setItem("shakedown-theme", root.dataset.theme); } catch { /* shown, not remembered */ }
  dispatchEvent(new Event("themechange"));
}

if (["light", "dark"].includes(remembered() ?? "")) document.documentElement.dataset.theme = remembered() ?? "";
prefersDark.addEventListener("change", () => dispatchEvent(new Event("themechange")));
byId("theme")?.addEventListener("click", toggleTheme);

/** Copies the text of an element; where the clipboard is closed, selects it so that one key copies it. */
async function copy(id) {
  const source = byId(id);
  const button = document.querySelector(`[data-copies="${id}"]`);
  const say = (word) => {
    if (!button) return;
    button.textContent = word;
    setTimeout(() => { button.textContent = "Copy"; }, 1600);
  };
  try {
    await navigator.clipboard.writeText(source.textContent);
    say("Copied");
  } catch {
    const range = document.createRange();
    range.selectNodeContents(source);
    getSelection()?.removeAllRanges();
    getSelection()?.addRange(range);
    let copied = false;
    try { copied = document.execCommand("copy"); } catch { /* it stays selected */ }
    say(copied ? "Copied" : "Selected");
  }
}

for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => copy(button.getAttribute("data-copies")));
}
byId("help")?.addEventListener("click", () => byId("keys").showModal());

// The trace opens at the last line of the witness.
const marked = [...document.querySelectorAll("#log tr.m")].at(-1);
if (marked) {
  const box = byId("log").parentElement;
  box.scrollTop = Math.max(0, marked.offsetTop - box.clientHeight / 2);
}

const filter = byId("filter");
filter?.addEventListener("input", () => {
  const wanted = filter.value.toLowerCase();
  let shown = 0;
  const rows = byId("log").tBodies[0].rows;
  for (const row of rows) {
    row.hidden = !row.textContent.toLowerCase().includes(wanted);
    if (!row.hidden) shown += 1;
  }
  byId("filtered").textContent = wanted ? `${shown} of ${rows.length} lines shown here` : "";
});
