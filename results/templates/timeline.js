// What a reader does with the timeline: move, zoom, select, link.

function startTimeline() {
  const run = readRun();
  const canvas = byId("canvas");
  const drawing = new Drawing(run, canvas);
  const whole = { from: 0, to: Math.max(run.end, run.tick * 10) };
  const shortest = run.tick * 8;
  let witness = 0, step = -1, asked = 0;

  const redraw = () => {
    if (asked) return;
    asked = requestAnimationFrame(() => { asked = 0; drawing.draw(); });
  };

  function letterOf(n) {
    let letters = "";
    for (let rest = n; ; rest = Math.floor(rest / 26) - 1) {
      letters = String.fromCharCode(65 + (rest % 26)) + letters;
      if (rest < 26) return letters;
    }
  }

  function show(from, to) {
    const span = Math.min(Math.max(to - from, shortest), whole.to - whole.from);
    const middle = (from + to) / 2;
    const left = Math.min(Math.max(middle - span / 2, whole.from), whole.to - span);
    drawing.view = { from: left, to: left + span };
    byId("range").textContent = `${left.toFixed(3)} to ${(left + span).toFixed(3)} s of ${run.end.toFixed(3)} s`;
    redraw();
  }

  const zoom = (factor, around = (drawing.view.from + drawing.view.to) / 2) => {
    const { from, to } = drawing.view;
    const held = Math.min(Math.max((to - from) * factor, shortest), whole.to - whole.from) / (to - from);
    show(around - (around - from) * held, around + (to - around) * held);
  };
  const pan = (share) => {
    const by = (drawing.view.to - drawing.view.from) * share;
    show(drawing.view.from + by, drawing.view.to + by);
  };

  /** The operations of a witness get their letters; the first is the one of the first screen. */
  function choose(n) {
    witness = n;
    step = -1;
    drawing.letters = new Map((run.witnesses[n] ?? []).map((row, place) => [row, letterOf(place)]));
    redraw();
  }

  function toWitness() {
    const rows = run.witnesses[witness] ?? [];
    let from = Math.min(...rows.map((row) => run.start[row])), to = Math.max(...rows.map((row) => (Number.isNaN(run.finish[row]) ? run.start[row] : run.finish[row])));
    if (!rows.length) {
      if (!run.opens) { show(whole.from, whole.to); return; }
      [from, to] = run.opens;
    }
    const margin = Math.max((to - from) * 0.25, 0.02);
    show(from - margin, to + margin);
  }

  function say(rows, message) {
    const panel = byId("selection");
    panel.replaceChildren();
    if (message) {
      const p = document.createElement("p");
      p.className = "none";
      p.textContent = message;
      panel.append(p);
    }
    if (!rows) return;
    const list = document.createElement("dl");
    for (const [name, text] of rows) {
      const pair = document.createElement("div"), term = document.createElement("dt"), said = document.createElement("dd");
      term.textContent = name;
      said.textContent = text;
      said.dir = "auto";
      pair.append(term, said);
      list.append(pair);
    }
    panel.append(list);
  }

  /** Selects an operation, and moves the view only if it is out of sight or too small to see. */
  function select(row, link = true) {
    drawing.selected = row;
    if (row < 0) {
      say(null, "No operation is selected.");
      redraw();
      return;
    }
    const letter = drawing.letters.get(row);
    const details = run.details(row);
    say(letter ? [["witness", letter], ...details] : details);
    const from = run.start[row], to = Number.isNaN(run.finish[row]) ? from : run.finish[row];
    const { view } = drawing;
    if (from < view.from || to > view.to) {
      const span = Math.max(Math.min(view.to - view.from, Math.max((to - from) * 20, 0.4)), (to - from) * 1.5);
      show((from + to - span) / 2, (from + to + span) / 2);
    }
    redraw();
    if (link) address(`op=${run.index[row]}`);
  }

  function address(text) {
    try { history.pushState(null, "", `#${text}`); } catch { location.hash = text; }
  }

  const visit = () => byId("timeline").scrollIntoView({ block: "start", behavior: "instant" });

  /** Reads the link: `#op=123`, `#w=1`, `#t=1.20..1.35`, joined by `&`. Other links are the browser's. */
  function follow() {
    const parts = new Map(location.hash.slice(1).split("&").map((part) => { const at = part.indexOf("="); return [part.slice(0, at), part.slice(at + 1)]; }));
    if (parts.has("w")) {
      const n = Number(parts.get("w")) - 1;
      if (run.witnesses[n]) { choose(n); toWitness(); say(null, `Witness ${n + 1} of ${run.witnesses.length}, ${run.witnesses[n].length} operations: w goes through them.`); } else say(null, `There is no witness ${n + 1} in this run.`);
      visit();
    }
    if (parts.has("t")) {
      const [from, to] = (parts.get("t") ?? "").split("..").map(Number);
      if (from < to) show(from, to); else say(null, "Expected a stretch of time like t=1.20..1.35.");
      visit();
    }
    if (parts.has("op")) {
      const row = run.rowOf.get(Number(parts.get("op")));
      if (row === undefined) say(null, `There is no operation #${parts.get("op")} in this run.`); else select(row, false);
      visit();
    }
  }

  function nextOfWitness(by) {
    const rows = run.witnesses[witness] ?? [];
    if (!rows.length) return;
    step = step < 0 && by < 0 ? rows.length - 1 : (step + by + rows.length) % rows.length;
    select(rows[step]);
  }

  function nextOfClient(by) {
    if (drawing.selected < 0) return;
    const rows = run.rowsOf[run.lane[drawing.selected]];
    const row = rows[run.place[drawing.selected] + by];
    if (row !== undefined) select(row);
  }

  const keys = {
    "+": () => zoom(0.6), "=": () => zoom(0.6), "-": () => zoom(1 / 0.6), "0": () => show(whole.from, whole.to),
    ArrowLeft: () => pan(-0.2), ArrowRight: () => pan(0.2),
    z: toWitness, w: () => nextOfWitness(1), W: () => nextOfWitness(-1), n: () => nextOfClient(1), p: () => nextOfClient(-1),
    g: () => { byId("go-number").value = ""; byId("go").showModal(); },
    d: toggleTheme, c: () => copy("replay"), "?": () => byId("keys").showModal(), Escape: () => select(-1),
  };
  const shown = () => { const box = canvas.getBoundingClientRect(); return box.bottom > 40 && box.top < innerHeight - 40; };
  addEventListener("keydown", (event) => {
    const inside = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog");
    if (inside || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
    event.preventDefault();
    const moves = ["z", "w", "W", "n", "p"].includes(event.key);
    keys[event.key]();
    if (moves && !shown()) visit();
  });
  for (const button of document.querySelectorAll("[data-key]")) {
    button.addEventListener("click", () => keys[button.getAttribute("data-key")]());
  }
  byId("go").addEventListener("submit", () => {
    const number = byId("go-number").value.trim().replace(/^#/, "");
    if (!number) return;
    const row = run.rowOf.get(Number(number));
    if (row === undefined) say(null, `There is no operation #${number} in this run.`); else select(row);
    visit();
  });

  // Wheel: zoom about the pointer, sideways to pan. Zoomed out all the way, the wheel is the page's again.
  canvas.addEventListener("wheel", (event) => {
    if (event.ctrlKey) return;
    if (Math.abs(event.deltaX) > Math.abs(event.deltaY) || event.shiftKey) {
      pan((event.deltaX || event.deltaY) / drawing.plot);
      event.preventDefault();
      return;
    }
    const { from, to } = drawing.view;
    const atEnd = event.deltaY > 0 ? to - from >= whole.to - whole.from - 1e-9 : to - from <= shortest * 1.001;
    if (atEnd) return;
    event.preventDefault();
    zoom(Math.exp(Math.max(-120, Math.min(120, event.deltaY)) / 400), drawing.time(event.offsetX));
  }, { passive: false });

  let held = null;
  canvas.addEventListener("pointerdown", (event) => {
    if (event.button !== 0) return;
    held = { x: event.offsetX, view: { ...drawing.view }, moved: false, overview: event.offsetY < OVERVIEW };
    canvas.setPointerCapture(event.pointerId);
  });
  canvas.addEventListener("pointermove", (event) => {
    const tip = byId("tip");
    if (held && !held.overview) {
      const by = event.offsetX - held.x;
      if (Math.abs(by) > 3) held.moved = true;
      if (held.moved) {
        canvas.classList.add("held");
        tip.hidden = true;
        const shift = (by / drawing.plot) * (held.view.to - held.view.from);
        show(held.view.from - shift, held.view.to - shift);
      }
      return;
    }
    const words = drawing.wordsAt(event.offsetX, event.offsetY);
    canvas.classList.toggle("on", drawing.operationAt(event.offsetX, event.offsetY) >= 0);
    tip.hidden = !words;
    tip.textContent = words;
    tip.style.left = `${Math.max(0, Math.min(event.offsetX + 12, drawing.width - tip.offsetWidth - 4))}px`;
    tip.style.top = `${event.offsetY + 34 > drawing.layout.height ? event.offsetY - 30 : event.offsetY + 16}px`;
  });
  canvas.addEventListener("pointerleave", () => { byId("tip").hidden = true; });
  const release = (event) => {
    canvas.classList.remove("held");
    if (held && !held.moved && event.type === "pointerup") {
      if (held.overview) {
        const middle = ((event.offsetX - GUTTER) / drawing.plot) * whole.to, half = (drawing.view.to - drawing.view.from) / 2;
        show(middle - half, middle + half);
      } else {
        const row = drawing.operationAt(event.offsetX, event.offsetY);
        if (row >= 0 || drawing.selected >= 0) select(row);
      }
    }
    held = null;
  };
  canvas.addEventListener("pointerup", release);
  canvas.addEventListener("pointercancel", release);

  addEventListener("themechange", () => { drawing.theme(); redraw(); });
  addEventListener("hashchange", follow);
  new ResizeObserver(redraw).observe(canvas);

  choose(0);
  if (run.opens) toWitness(); else show(whole.from, whole.to);
  follow();
}

startTimeline();
